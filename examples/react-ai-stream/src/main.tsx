import { type FormEvent, useState } from 'react'
import { createRoot } from 'react-dom/client'
// With the real package installed: import { useAIChat } from '@react-ai-stream/react'
import { useAIChat } from './use-ai-chat'

function Chat() {
  // The hook line: everything else on this page is rendering.
  const { messages, sendMessage, loading, stop, error } = useAIChat({
    endpoint: 'http://127.0.0.1:8000/api/chat',
  })
  const [draft, setDraft] = useState('')

  function submit(event: FormEvent) {
    event.preventDefault()
    if (loading) return
    void sendMessage(draft)
    setDraft('')
  }

  return (
    <main>
      {messages.map((message) => (
        <article key={message.id} className={message.role}>
          <p>{message.content}</p>
        </article>
      ))}
      {error && <p role="alert">{error}</p>}
      <form onSubmit={submit}>
        <input
          aria-label="Message"
          autoFocus
          value={draft}
          onChange={(event) => setDraft(event.target.value)}
        />
        {loading ? <button type="button" onClick={stop}>Stop</button> : <button>Send</button>}
      </form>
    </main>
  )
}

createRoot(document.getElementById('root')!).render(<Chat />)
