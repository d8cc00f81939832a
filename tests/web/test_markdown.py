"""The page's markdown, in the browser that shows it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from .browser import Page

RENDER = """async ([sources, open]) => {
    const {MarkdownView} = await import(new URL("web/markdown/view.js", document.baseURI));
    return sources.map((source) => {
        const root = document.createElement("div");
        new MarkdownView(root).render(source, {open});
        for (const code of root.querySelectorAll(".code")) {
            const language = code.querySelector(".code-head span").textContent;
            code.replaceWith(Object.assign(document.createElement("pre"), {
                className: language, textContent: code.querySelector("code").textContent}));
        }
        for (const box of root.querySelectorAll(".table")) box.replaceWith(...box.childNodes);
        for (const link of root.querySelectorAll("a")) {
            link.removeAttribute("target");
            link.removeAttribute("rel");
        }
        return root.innerHTML;
    });
}"""

PARAGRAPHS = {
    "plain": "<p>plain</p>",
    "one\ntwo\n\nthree": "<p>one<br>two</p><p>three</p>",
    "a  \nb\\\nc": "<p>a<br>b<br>c</p>",
    "a<br>b": "<p>a<br>b</p>",
    "# One\n###### Six #\n#tag": "<h3>One</h3><h6>Six</h6><p>#tag</p>",
    "above\n\n---\nbelow\n***": "<p>above</p><hr><p>below</p><hr>",
    "> quoted\n> > twice": "<blockquote><p>quoted</p><blockquote><p>twice</p></blockquote></blockquote>",
    "In\n1999. it was\n1. so": "<p>In<br>1999. it was</p><ol><li>so</li></ol>",
    "a\r\nb": "<p>a<br>b</p>",
    "": "",
}

LISTS = {
    "- a\n- b": "<ul><li>a</li><li>b</li></ul>",
    "* a\n\n* b": "<ul><li>a</li><li>b</li></ul>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "1. a\n   - b\n     - c\n2. d": "<ol><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ol>",
    "1. a\n  - b": "<ol><li>a<ul><li>b</li></ul></li></ol>",
    "- a\n\n  more\n- b": "<ul><li>a<p>more</p></li><li>b</li></ul>",
    "- a\nlazy\n\nafter": "<ul><li>a<br>lazy</li></ul><p>after</p>",
    "- a\n1. b": "<ul><li>a</li></ul><ol><li>b</li></ol>",
    "1. a\n```sh\nls\n```\n2. b": '<ol><li>a</li></ol><pre class="sh">ls</pre><ol start="2"><li>b</li></ol>',
    "- a\n  ```\n  x\n    y\n  ```": '<ul><li>a<pre class="text">x\n  y</pre></li></ul>',
    "- [x] done\n- [ ] open": (
        '<ul><li class="task"><input type="checkbox" disabled="" checked=""> done</li>'
        '<li class="task"><input type="checkbox" disabled=""> open</li></ul>'
    ),
    "text\n- a": "<p>text</p><ul><li>a</li></ul>",
}

CODE = {
    "```python\nx = 1\n\n# y\n```\nafter": '<pre class="python">x = 1\n\n# y</pre><p>after</p>',
    "~~~\n```\n~~~": '<pre class="text">```</pre>',
    "````\n```\n````": '<pre class="text">```</pre>',
    "```js\n<b>&amp;</b>": '<pre class="js">&lt;b&gt;&amp;amp;&lt;/b&gt;</pre>',
    "`a *b* <i>` and ``c ` d``": "<p><code>a *b* &lt;i&gt;</code> and <code>c ` d</code></p>",
    "a ` b": "<p>a ` b</p>",
}

TABLES = {
    "| a | b |\n|---|:-:|\n| `x|y` | \\| |\n| only |": (
        '<table><thead><tr><th>a</th><th class="align-center">b</th></tr></thead><tbody>'
        '<tr><td><code>x|y</code></td><td class="align-center">|</td></tr>'
        '<tr><td>only</td><td class="align-center"></td></tr></tbody></table>'
    ),
    "a | b\n-: | -\n1 | 2\n\nafter": (
        '<table><thead><tr><th class="align-right">a</th><th>b</th></tr></thead><tbody>'
        '<tr><td class="align-right">1</td><td>2</td></tr></tbody></table><p>after</p>'
    ),
    "| a || c |\n|-|-|-|\n|| b ||": (
        "<table><thead><tr><th>a</th><th></th><th>c</th></tr></thead><tbody>"
        "<tr><td></td><td>b</td><td></td></tr></tbody></table>"
    ),
    "this | that": "<p>this | that</p>",
}

SPANS = {
    "**a** *b* __c__ _d_ ~~e~~": ("<p><strong>a</strong> <em>b</em> <strong>c</strong> <em>d</em> <del>e</del></p>"),
    "***a***": "<p><strong><em>a</em></strong></p>",
    "**a *b* c**": "<p><strong>a <em>b</em> c</strong></p>",
    "*a **b** c*": "<p><em>a <strong>b</strong> c</em></p>",
    "**a `**` b**": "<p><strong>a <code>**</code> b</strong></p>",
    "2 * 3 * 4 and snake_case_name and 2**3": "<p>2 * 3 * 4 and snake_case_name and 2**3</p>",
    "**never closed": "<p>**never closed</p>",
    "\\*plain\\* \\`x\\` C:\\dir \\(x\\)": "<p>*plain* `x` C:\\dir \\(x\\)</p>",
    "[a *b*](https://a.example/x_(y)) [c](mailto:d@e.example)": (
        '<p><a href="https://a.example/x_(y)">a <em>b</em></a> <a href="mailto:d@e.example">c</a></p>'
    ),
    "[a](<https://a.example/b c> \"title\") [b](https://b.example 't')": (
        '<p><a href="https://a.example/b c">a</a> <a href="https://b.example">b</a></p>'
    ),
    "![alt](https://a.example/p.png)": '<p><a href="https://a.example/p.png">alt</a></p>',
    "(see https://a.example/b_c?d=e.) <https://f.example>": (
        '<p>(see <a href="https://a.example/b_c?d=e">https://a.example/b_c?d=e</a>.) '
        '<a href="https://f.example">https://f.example</a></p>'
    ),
    "[a](javascript:x) [b](data:text/html,x) [c](/d) [e](//f.example) [1] [x] (y)": ("<p>a b c e [1] [x] (y)</p>"),
    "[a](JaVaScRiPt:alert(1)) [b](java\tscript:x) <javascript:x>": (
        "<p>a [b](java\tscript:x) &lt;javascript:x&gt;</p>"
    ),
    "<b onclick=x>hi</b> &amp; &lt;": "<p>&lt;b onclick=x&gt;hi&lt;/b&gt; &amp;amp; &amp;lt;</p>",
}

UNFINISHED = {
    "- **a\n- b **c": "<ul><li>**a</li><li>b <strong>c</strong></li></ul>",
    "> a **b": "<blockquote><p>a <strong>b</strong></p></blockquote>",
    "a **b": "<p>a <strong>b</strong></p>",
    "a **b *c": "<p>a <strong>b <em>c</em></strong></p>",
    "a **b*": "<p>a <strong>b</strong></p>",
    "a *": "<p>a </p>",
    "a `b": "<p>a <code>b</code></p>",
    "2*3": "<p>2*3</p>",
    "see [the docs](https://doc": "<p>see the docs</p>",
    "a\n\n-": "<p>a</p>",
    "a\n\n1.": "<p>a</p>",
    "a\n\n##": "<p>a</p>",
    "a\n\n``": "<p>a</p>",
    "```py\nx\n``": '<pre class="py">x</pre>',
    "| a | b": "",
    "| a | b |": "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody></tbody></table>",
    "| a |\n|-|\n| b": "<table><thead><tr><th>a</th></tr></thead><tbody></tbody></table>",
    "**done** and *go": "<p><strong>done</strong> and <em>go</em></p>",
}


@pytest.mark.parametrize(
    "cases", [PARAGRAPHS, LISTS, CODE, TABLES, SPANS], ids=["paragraphs", "lists", "code", "tables", "spans"]
)
def test_markdown_becomes_elements(modules: Page, cases: Mapping[str, str]) -> None:
    assert dict(zip(cases, modules.call(RENDER, [list(cases), False]), strict=True)) == cases


def test_what_is_unfinished_does_not_flicker(modules: Page) -> None:
    assert dict(zip(UNFINISHED, modules.call(RENDER, [list(UNFINISHED), True]), strict=True)) == UNFINISHED


def test_a_streamed_answer_ends_as_if_it_had_come_at_once(modules: Page) -> None:
    sources = [source for cases in (PARAGRAPHS, LISTS, CODE, TABLES, SPANS, UNFINISHED) for source in cases]
    different = modules.call(
        """async (sources) => {
            const {MarkdownView} = await import(new URL("web/markdown/view.js", document.baseURI));
            return [...sources, sources.join("\\n\\n"), sources.reverse().join("\\n")].filter((source) => {
                const [whole, streamed] = [document.createElement("div"), document.createElement("div")];
                new MarkdownView(whole).render(source);
                const view = new MarkdownView(streamed);
                for (let end = 0; end <= source.length; end++) view.render(source.slice(0, end), {open: true});
                view.render(source);
                return whole.innerHTML !== streamed.innerHTML;
            });
        }""",
        sources,
    )
    assert different == []


def test_what_is_read_stays_in_place_while_more_comes(modules: Page) -> None:
    kept = modules.call(
        """async () => {
            const {MarkdownView} = await import(new URL("web/markdown/view.js", document.baseURI));
            const root = document.createElement("div");
            const view = new MarkdownView(root);
            view.render("one\\n\\n```py\\nx = 1", {open: true});
            const [paragraph, code] = root.children;
            const line = code.querySelector("code").firstChild;
            view.render("one\\n\\n```py\\nx = 1\\ny = 2\\n```\\n\\ntwo", {open: true});
            return [root.children[0] === paragraph, root.children[1] === code,
                    code.querySelector("code").firstChild === line, code.querySelector("code").textContent];
        }"""
    )
    assert kept == [True, True, True, "x = 1\ny = 2"]


def test_code_keeps_its_text_whatever_its_colours(modules: Page) -> None:
    code = {
        "python": "def f(x):\n    '''doc'''\n    return f\"{x}\" # why 1.5e3\n",
        "js": "const a = `x ${1}`; // it's\n/* open",
        "rust": "fn f<'a>(x: &'a str) -> char { 'c' }",
        "sql": "select * from t where a = 'it''s' -- end",
        "html": '<p class="x">don\'t</p> <!-- c -->',
        "sh": "echo \"$#\" # comment\ngit commit -m 'x'",
        "json": '{"a": [1, true, null]}',
        "css": ".a { color: #fff; } /* c */",
        "nothing-known": "for if 'x' 1",
    }
    texts, keywords = modules.call(
        """async (code) => {
            const {highlight} = await import(new URL("web/markdown/highlight.js", document.baseURI));
            const made = Object.entries(code).map(([language, text]) => highlight(text, language));
            const keyword = (node) => node.className === "code-keyword";
            const text = (node) => node.textContent;
            return [
                made.map((nodes) => nodes.map(text).join("")),
                made.map((nodes) => nodes.filter(keyword).map(text)),
            ];
        }""",
        code,
    )
    assert dict(zip(code, texts, strict=True)) == code
    assert dict(zip(code, keywords, strict=True)) == {
        "python": ["def", "return"],
        "js": ["const"],
        "rust": ["fn", "char"],
        "sql": ["select", "from", "where"],
        "html": ["p", "p"],
        "sh": ["echo"],
        "json": ["true", "null"],
        "css": ["color"],
        "nothing-known": [],
    }
