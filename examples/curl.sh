#!/bin/sh
# What the hooks do, by hand: stream an answer, resume it, join it, cancel one.
#
#   tokenwire serve          # in another terminal
#   examples/curl.sh [URL]   # default http://127.0.0.1:8000
set -eu

chat=${1:-http://127.0.0.1:8000}/api/chat
run=run-$(date +%s)-$$
json='Content-Type: application/json'

# The body of the newest TanStack client: its run id is what makes the answer resumable by name.
body() {
  cat <<JSON
{"threadId": "thread-curl", "runId": "$1",
 "messages": [{"id": "m1", "role": "user", "content": "Tell me a story in three sentences."}],
 "state": {}, "tools": [], "context": [], "forwardedProps": {"temperature": 0.7}}
JSON
}

echo "== stream"
stream=$(body "$run" | curl -sSN --fail-with-body "$chat" -H "$json" -d @-)
echo "$stream"

echo "== resume after the second event: the same request, and the last id seen"
seen=$(echo "$stream" | sed -n 's/^id: //p' | sed -n 2p)
body "$run" | curl -sSN --fail-with-body "$chat" -H "$json" -H "Last-Event-ID: $seen" -d @-

echo "== join: the whole answer once more, to anybody who knows the run"
curl -sSN --fail-with-body "$chat?offset=-1&runId=$run"

echo "== cancel: the model stops at once, and the stream ends"
body "$run-2" | curl -sSN --fail-with-body "$chat" -H "$json" -d @- &
sleep 1
curl -sS --fail-with-body -X POST "$chat/runs/$run-2/cancel" -o /dev/null -w 'cancel: %{http_code}\n'
wait $!
