import { fetchServerSentEvents, useChat } from '@tanstack/ai-react'
import { type FormEvent, useState } from 'react'
import { createRoot } from 'react-dom/client'

// The hook line: everything else on this page is rendering.
const connection = fetchServerSentEvents('http://127.0.0.1:8000/api/chat')

function Chat() {
  const { messages, sendMessage, stop, reload, isLoading, error } = useChat({ connection })
  const [draft, setDraft] = useState('')

  function submit(event: FormEvent) {
    event.preventDefault()
    // This generation drops what is sent while an answer runs, so the draft stays put.
    if (isLoading) return
    void sendMessage(draft)
    setDraft('')
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
        {isLoading ? <button type="button" onClick={stop}>Stop</button> : <button>Send</button>}
      </form>
    </main>
  )
}

createRoot(document.getElementById('root')!).render(<Chat />)
