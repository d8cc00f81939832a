// wire is a scripted OpenAI-compatible upstream and a streaming load generator, standard library only.
//
//	go build -o wire wire.go
//	./wire upstream -addr 127.0.0.1:9100 -chunks 200 -interval 20ms
//	./wire load -url http://127.0.0.1:8000/api/chat -streams 100 -rounds 2
//	./wire load … -readers 10 -join 'http://127.0.0.1:8000/api/chat?offset=-1&runId={id}'
//
// Each token the upstream emits carries the time of its emission ("t<19 digits> "), so that the load side
// can tell how long a token took from the model to the reader, whatever protocol it was re-framed in.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: wire upstream|load [flags]")
	}
	switch os.Args[1] {
	case "upstream":
		serve(os.Args[2:])
	case "load":
		load(os.Args[2:])
	default:
		log.Fatalf("no such command: %s", os.Args[1])
	}
}

// upstream answers every chat completion with the same number of content chunks, each in a write of its own.
type upstream struct {
	chunks   int
	interval time.Duration
	mu       sync.Mutex
	aborts   map[int64]int64 // by the time of a reply's first token: when its connection was seen closed
}

func serve(args []string) {
	flags := flag.NewFlagSet("upstream", flag.ExitOnError)
	addr := flags.String("addr", "127.0.0.1:9100", "listen address")
	up := &upstream{aborts: map[int64]int64{}}
	flags.IntVar(&up.chunks, "chunks", 200, "content chunks per reply")
	flags.DurationVar(&up.interval, "interval", 20*time.Millisecond, "pause between chunks (0: none)")
	flags.Parse(args)
	mux := http.NewServeMux()
	mux.HandleFunc("/aborts", up.listAborts)
	mux.HandleFunc("/v1/chat/completions", up.complete)
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, mux))
}

func (up *upstream) listAborts(w http.ResponseWriter, _ *http.Request) {
	up.mu.Lock()
	defer up.mu.Unlock()
	w.Header().Set("content-type", "application/json")
	json.NewEncoder(w).Encode(up.aborts)
}

func (up *upstream) complete(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("content-type", "text/event-stream")
	w.Header().Set("cache-control", "no-cache")
	if first, finished := up.stream(w, r); !finished {
		now := time.Now().UnixNano()
		up.mu.Lock()
		up.aborts[first] = now
		up.mu.Unlock()
	}
}

// stream returns the time of the first token, and whether the client stayed to the end.
func (up *upstream) stream(w http.ResponseWriter, r *http.Request) (first int64, finished bool) {
	const frame = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench",`
	const delta = frame + `"choices":[{"index":0,"delta":`
	var buf bytes.Buffer
	flush := func() bool {
		_, err := w.Write(buf.Bytes())
		w.(http.Flusher).Flush()
		buf.Reset()
		return err == nil
	}
	buf.WriteString(delta + `{"role":"assistant","content":""},"finish_reason":null}]}` + "\n\n")
	next := time.Now()
	for i := 0; i < up.chunks; i++ {
		now := time.Now().UnixNano()
		if i == 0 {
			first = now
		}
		fmt.Fprintf(&buf, delta+`{"content":"t%d "},"finish_reason":null}]}`+"\n\n", now)
		if !flush() {
			return first, false
		}
		if up.interval > 0 {
			next = next.Add(up.interval)
			select {
			case <-r.Context().Done():
				return first, false
			case <-time.After(time.Until(next)):
			}
		}
	}
	buf.WriteString(delta + `{},"finish_reason":"stop"}]}` + "\n\n")
	fmt.Fprintf(&buf, frame+`"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n",
		up.chunks, up.chunks+10)
	buf.WriteString("data: [DONE]\n\n")
	flush()
	return first, true
}

var (
	token  = regexp.MustCompile(`t(\d{19})\b`)
	serial int64
)

// loader posts one body over and over and reads each reply to its end, beside others who join it.
type loader struct {
	client *http.Client
	url    string
	body   string
	header http.Header
	join   string
	joins  int
	record func(*reply, error)
}

// reply is what one request gave: how late each token was, and how soon the first came, in milliseconds.
type reply struct {
	joined bool
	late   []float64
	first  float64
	bytes  int
}

// ask records the reply to one post, and those of the readers who join it as soon as it has begun.
func (l *loader) ask() {
	id := fmt.Sprintf("b%d-%d", time.Now().UnixNano(), atomic.AddInt64(&serial, 1))
	var wg sync.WaitGroup
	defer wg.Wait()
	l.record(l.read("POST", l.url, strings.ReplaceAll(l.body, "{id}", id), func() {
		for i := 0; i < l.joins; i++ {
			wg.Add(1)
			go func() {
				defer wg.Done()
				r, err := l.read("GET", strings.ReplaceAll(l.join, "{id}", id), "", func() {})
				if err == nil {
					r.joined = true
				}
				l.record(r, err)
			}()
		}
	}))
}

func (l *loader) read(method, url, body string, begun func()) (*reply, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = l.header.Clone()
	begin := time.Now()
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 400))
		return nil, fmt.Errorf("%s: HTTP %d: %s", method, resp.StatusCode, text)
	}
	begun()
	out := &reply{}
	lines := bufio.NewReaderSize(resp.Body, 65536)
	for {
		line, err := lines.ReadBytes('\n')
		now := time.Now()
		out.bytes += len(line)
		for _, match := range token.FindAllSubmatch(line, -1) { // tokens that arrived together may share a line
			if len(out.late) == 0 {
				out.first = milliseconds(now.Sub(begin))
			}
			emitted, _ := strconv.ParseInt(string(match[1]), 10, 64)
			out.late = append(out.late, milliseconds(time.Duration(now.UnixNano()-emitted)))
		}
		if err == io.EOF {
			return out, nil
		} else if err != nil {
			return nil, err
		}
	}
}

func load(args []string) {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	url := flags.String("url", "", "endpoint")
	body := flags.String("body", `{"messages":[{"role":"user","content":"hi"}]}`, "JSON body; {id} becomes a unique id")
	header := http.Header{"Content-Type": {"application/json"}}
	flags.Func("header", "an extra header 'name: value' (repeatable)", func(text string) error {
		name, value, found := strings.Cut(text, ":")
		if !found {
			return fmt.Errorf("no colon in %q", text)
		}
		header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	streams := flags.Int("streams", 50, "concurrent streams")
	rounds := flags.Int("rounds", 2, "requests per stream, one after the other")
	expect := flags.Int("expect", 0, "tokens expected per reply (0: not checked)")
	join := flags.String("join", "", "where a reply is joined while it streams; {id} becomes that of its request")
	readers := flags.Int("readers", 1, "readers of each reply: one asks, the others join")
	stagger := flags.Duration("stagger", 0, "spread the start of the streams over this time")
	flags.Parse(args)
	transport := &http.Transport{MaxIdleConnsPerHost: *streams * *readers, DisableCompression: true}

	var mu sync.Mutex
	var late, lateJoined, firsts []float64
	var failed, wrong, bytesIn int
	record := func(r *reply, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			if failed++; failed == 1 {
				log.Print(err)
			}
			return
		}
		bytesIn += r.bytes
		if *expect > 0 && len(r.late) != *expect {
			wrong++
		}
		if r.joined {
			lateJoined = append(lateJoined, r.late...)
			return
		}
		if len(r.late) > 0 {
			firsts = append(firsts, r.first)
		}
		late = append(late, r.late...)
	}
	l := &loader{
		client: &http.Client{Transport: transport}, url: *url, body: *body, header: header,
		join: *join, joins: *readers - 1, record: record,
	}
	begin := time.Now()
	var wg sync.WaitGroup
	for s := 0; s < *streams; s++ {
		wg.Add(1)
		go func(wait time.Duration) {
			defer wg.Done()
			time.Sleep(wait)
			for i := 0; i < *rounds; i++ {
				l.ask()
			}
		}(*stagger * time.Duration(s) / time.Duration(*streams))
	}
	wg.Wait()
	wall := time.Since(begin).Seconds()
	sort.Float64s(late)
	sort.Float64s(lateJoined)
	sort.Float64s(firsts)
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"replies": *streams * *rounds, "failed": failed, "wrong_count": wrong, "tokens": len(late), "bytes": bytesIn,
		"wall_s": wall, "tokens_per_s": float64(len(late)) / wall,
		"relay_ms_p50": percentile(late, .5), "relay_ms_p99": percentile(late, .99),
		"joined_ms_p50": percentile(lateJoined, .5), "joined_ms_p99": percentile(lateJoined, .99),
		"ttft_ms_p50": percentile(firsts, .5), "ttft_ms_p99": percentile(firsts, .99),
	})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func percentile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))]
}
