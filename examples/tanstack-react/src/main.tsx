import { fetchServerSentEvents, sessionStoragePersistence, useChat } from '@tanstack/ai-react'
import { type FormEvent, useState } from 'react'
import { createRoot } from 'react-dom/client'

const server = 'http://127.0.0.1:8000'

// The hook line: everything else on this page is rendering.
const connection = fetchServerSentEvents(`${server}/api/chat`)

// One conversation a tab. The stored transcript names the run in flight, so a reload in
// mid-answer joins that run again and nothing is asked twice.
const persistence = sessionStoragePersistence()
const threadId = sessionStorage.getItem('thread') ?? crypto.randomUUID()
sessionStorage.setItem('thread', threadId)

function Chat() {
  const { messages, sendMessage, stop, reload, runId, isLoading, error } = useChat({
    connection,
    persistence,
    threadId,
  })
  const [draft, setDraft] = useState('')

  function submit(event: FormEvent) {
    event.preventDefault()
    void sendMessage(draft)
    setDraft('')
  }

  function end() {
    stop()
    // stop() only closes the connection, which the server cannot tell from a lost network:
    // it would go on for its grace period. Cancelling the run ends it at once.
    if (runId) void fetch(`${server}/api/chat/runs/${runId}/cancel`, { method: 'POST' })
  }

  return (
    <main>
      {messages.map((message) => (
        <article key={message.id} className={message.role}>
          {message.parts.map((part, index) => {
            if (part.type === 'thinking') return <p key={index} className="reasoning">{part.content}</p>
            if (part.type === 'text') return <p key={index}>{part.content}</p>
            return null
          })}
        </article>
      ))}
      {error && (
        <p role="alert">
          {error.message} <button onClick={() => void reload()}>Retry</button>
        </p>
      )}
      <form onSubmit={submit}>
        <input
          aria-label="Message"
          autoFocus
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
        {isLoading ? <button type="button" onClick={end}>Stop</button> : <button>Send</button>}
      </form>
    </main>
  )
}

createRoot(document.getElementById('root')!).render(<Chat />)
