"""The addresses that a conversation brings: which of them a provider is given."""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenwire.config import load
from tokenwire.errors import Code, ConfigError, Refusal
from tokenwire.gate import media_urls
from tokenwire.gate.media_urls import MAX_HOSTS, MAX_URL, MediaUrls, look_up
from tokenwire.messages import Media, Message, Text, message

PUBLIC = "93.184.215.14"
SENTENCE = "Images and files are taken from public https addresses only."


class Names:
    """What names stand for: a public address, where nothing else is said."""

    def __init__(self, **known: Sequence[str]) -> None:
        self.known = {name.replace("_", "."): addresses for name, addresses in known.items()}
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        return self.known.get(name, (PUBLIC,))


def showing(*urls: str) -> tuple[Message, ...]:
    return (message("user", "See:"), Message("user", (*(Media("image", url=url) for url in urls), Text("Well?"))))


def refused(*urls: str, names: Any = None, rule: Any = "public") -> str | None:
    """The sentence of a refusal."""
    try:
        asyncio.run(MediaUrls(rule, names or Names()).check(showing(*urls)))
    except Refusal as refusal:
        return refusal.message if refusal.code is Code.bad_request else str(refusal)
    return None


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/a.png",
        "HTTPS://CDN.Example/a.png",
        "https://cdn.example:8443/a%20b.png?x=http://127.0.0.1/#f",
        "https://cdn.example",
        "https://cdn.example?x",
        "https://my_bucket.s3.example/a@b:c\\d",
        "https://xn--bcher-kva.example/",
        f"https://{PUBLIC}/a.png",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/a.png",
    ],
)
def test_what_everybody_may_fetch_passes(url: str) -> None:
    assert refused(url) is None


ODD = [
    "https://[93.184.215.14]/",
    "http://cdn.example/a.png",
    "//cdn.example/a.png",
    "ftp://cdn.example/a.png",
    "file:///etc/passwd",
    "gs://bucket/object",
    "https:cdn.example",
    "https:/cdn.example",
    "https:///cdn.example",
    "https://",
    "",
    " https://cdn.example/",
    "https://cdn.example/a b",
    "https://cdn.example/\n",
    "https://cdn.example/\x00",
    "https://cdn.example/ü",
    "https://user@cdn.example/",
    "https://user:secret@cdn.example/",
    "https://cdn.example@127.0.0.1/",
    "https://cdn.example\\@127.0.0.1/",
    "https://127.0.0.1\\.cdn.example/",
    "https://cdn.example:0/",
    "https://cdn.example:65536/",
    "https://cdn.example:/",
    "https://cdn.example:8a/",
    "https://localhost/",
    "https://intranet/",
    "https://cdn.example./",
    "https://127.0.0.1./",
    "https://.cdn.example/",
    "https://cdn..example/",
    "https://-cdn.example/",
    f"https://{'a' * 64}.example/",
    f"https://{'a.' * 127}example/",
    "https://bücher.example/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://①②⑦.0.0.1/",
    "https://%31%32%37.0.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://cdn.0x7f/",
    "https://cdn.1/",
    "https://[::1%25lo]/",
    "https://[fe80::1%eth0]/",
    "https://[::1/",
    "https://::1/",
    "https://[cdn.example]/",
    "https://[127.0.0.1]/",
]
PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.215.14",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2001:0:5ef5:79fd:0:59d:a0e8:1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("url", ODD)
def test_an_odd_spelling_is_refused_before_anybody_is_asked(url: str) -> None:
    names = Names()
    assert refused(url, names=names) == SENTENCE
    assert names.asked == []


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_within_is_refused_as_itself_and_behind_a_name(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    assert refused(f"https://{literal}/") == SENTENCE
    for addresses in ((address,), (PUBLIC, address), (address, PUBLIC), (f"{address}%eth0",)):
        assert refused("https://cdn.example/", names=Names(cdn_example=addresses)) == SENTENCE


def test_a_name_that_stands_for_nothing_is_refused_in_the_same_words() -> None:
    async def nobody(_: str) -> Sequence[str]:
        raise OSError("Name or service not known")

    assert refused("https://cdn.example/", names=nobody) == SENTENCE
    assert refused("https://cdn.example/", names=Names(cdn_example=())) == SENTENCE


def spellings(address: ipaddress.IPv4Address) -> st.SearchStrategy[str]:
    """The ways in which browsers and libc read an address."""
    octets = list(address.packed)
    forms: list[Callable[[int], str]] = [str, hex, lambda n: f"0{n:o}", lambda n: f"0X{n:X}", lambda n: f"0x{n:08x}"]
    number = st.sampled_from(forms)
    whole = number.map(lambda form: form(int(address)))
    short = number.map(lambda form: f"{octets[0]}.{form(int.from_bytes(octets[1:], 'big'))}")
    dotted = st.lists(number, min_size=4, max_size=4).map(
        lambda forms: ".".join(form(octet) for form, octet in zip(forms, octets, strict=True))
    )
    mapped = st.sampled_from([f"[::ffff:{address}]", f"[::{address}]", f"[0:0:0:0:0:FFFF:{address}]"])
    return st.one_of(whole, short, dotted, mapped).flatmap(lambda text: st.sampled_from([text, f"{text}."]))


@given(
    st.one_of(
        *(
            st.ip_addresses(v=4, network=network)
            for network in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "100.64.0.0/10")
        )
    ).flatmap(spellings),
    st.sampled_from(["https://{}/", "https://{}:443/x", "https://a@{}/", "HTTPS://{}", "https://cdn.example@{}"]),
)
def test_no_spelling_of_a_private_address_passes(host: str, form: str) -> None:
    assert refused(form.format(host)) == SENTENCE


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_global_unicast_passes(address: ipaddress.IPv6Address) -> None:
    if refused(f"https://[{address}]/") is None:
        assert address in ipaddress.ip_network("2000::/3")
        assert address.is_global


@given(st.text(max_size=40))
def test_whatever_is_sent_is_judged(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}.example/", f"https://cdn.example/{text}"):
        assert refused(url) in (None, SENTENCE)


def test_data_is_no_address() -> None:
    names = Names()
    assert refused("data:image/png;base64,AA==", "DATA:text/plain,hello", names=names) is None
    assert refused("data:image/png;base64,AA==", rule="none") is None
    assert names.asked == []


def test_the_rule() -> None:
    assert refused("https://cdn.example/", rule="none") == "Images and files are taken here as data, not by address."
    names = Names()
    assert refused("http://127.0.0.1/", "https://u@h/", rule="any", names=names) is None
    assert names.asked == []


def test_names_are_asked_once_each_and_not_without_number() -> None:
    names = Names()
    assert (
        refused(*(f"https://{case}.example/{number}" for case in ("cdn", "CDN") for number in range(50)), names=names)
        is None
    )
    assert names.asked == ["cdn.example"]
    many = [f"https://cdn{number}.example/" for number in range(MAX_HOSTS + 1)]
    assert refused(*many[1:]) is None
    assert "different hosts" in (refused(*many, names=names) or "")
    assert names.asked == ["cdn.example"]
    assert refused(f"https://cdn.example/{'x' * MAX_URL}") == SENTENCE


@pytest.mark.anyio
async def test_who_answers_slowly_keeps_nobody_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_urls, "SECONDS", 0.05)
    never = asyncio.Event()
    begun: list[str] = []

    async def slow(name: str) -> Sequence[str]:
        begun.append(name)
        await never.wait()
        return (PUBLIC,)

    gate = MediaUrls("public", slow)
    with pytest.raises(Refusal):
        await gate.check(showing(*(f"https://cdn{number}.example/" for number in range(10))))
    assert len(begun) == 4  # each holds a thread
    with pytest.raises(Refusal):
        await gate.check(showing("https://cdn.example/"))
    assert len(begun) == 4
    never.set()
    monkeypatch.setattr(media_urls, "SECONDS", 20)
    await gate.check(showing("https://cdn.example/"))
    assert len(begun) == 5


@pytest.mark.anyio
async def test_names_of_this_machine_are_looked_up_by_its_own_means() -> None:
    assert {ipaddress.ip_address(address).is_loopback for address in await look_up("localhost")} == {True}


def test_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "tokenwire.toml"
    model = '[models.m]\nprovider = "vllm"\nmodel = "m"\n'
    file.write_text(model)
    assert load(file, {}).policy.media_urls == "public"
    file.write_text(f'{model}[policy]\nmedia_urls = "none"\n')
    assert load(file, {}).policy.media_urls == "none"
    file.write_text(f'{model}[policy]\nmedia_urls = "some"\n')
    with pytest.raises(ConfigError, match=r"policy\.media_urls"):
        load(file, {})
