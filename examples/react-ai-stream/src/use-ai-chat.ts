import { useEffect, useRef, useState } from 'react'

// The part of react-ai-stream's useAIChat that talks to an endpoint, written from its
// documented contract. Where that contract leaves a choice, this one keeps the promise made to
// the reader: headers and body are read on every send, and a stream that stops without a
// terminal event is an error.

export interface Message {
  id: string
  role: 'user' | 'assistant'
  content: string
  createdAt: Date
}

export interface AIChatOptions {
  endpoint: string
  headers?: Record<string, string>
  body?: Record<string, unknown>
  onToken?: (token: string) => void
  onComplete?: (message: Message) => void
  onError?: (error: Error) => void
}

interface RaisEvent {
  type: string
  text?: string
  error?: string
}

export function useAIChat(options: AIChatOptions) {
  const [messages, setMessages] = useState<Message[]>([])
  const [loading, setLoading] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const request = useRef<AbortController | null>(null)

  useEffect(() => () => request.current?.abort(), [])

  async function sendMessage(content: string) {
    if (request.current || !content.trim()) return
    const abort = new AbortController()
    request.current = abort
    const answer = newMessage('assistant', '')
    const history = [...messages, newMessage('user', content)]
    setMessages([...history, answer])
    setLoading(true)
    setError(null)
    try {
      for await (const token of ask(options, history, abort.signal)) {
        answer.content += token
        const grown = { ...answer }
        setMessages((current) => current.map((message) => (message.id === answer.id ? grown : message)))
        options.onToken?.(token)
      }
      if (answer.content) options.onComplete?.(answer)
    } catch (reason) {
      if (!abort.signal.aborted) {
        const failure = reason instanceof Error ? reason : new Error(String(reason))
        setError(failure.message)
        options.onError?.(failure)
      }
    } finally {
      // After stop() and an immediate new send, the loading flag belongs to the new request.
      if (request.current === abort) {
        request.current = null
        setLoading(false)
      }
    }
  }

  function stop() {
    request.current?.abort()
    request.current = null
    setLoading(false)
  }

  function clearMessages() {
    setMessages([])
    setError(null)
  }

  return { messages, sendMessage, loading, stop, error, clearMessages }
}

function newMessage(role: Message['role'], content: string): Message {
  return { id: crypto.randomUUID(), role, content, createdAt: new Date() }
}

async function* ask({ endpoint, headers, body }: AIChatOptions, history: Message[], signal: AbortSignal) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ messages: history.map(({ role, content }) => ({ role, content })), ...body }),
    signal,
  })
  if (!response.ok) throw new Error(`Request failed: ${await response.text()}`)
  if (!response.body) throw new Error('Response body is null')
  for await (const event of events(response.body)) {
    if (event.type === 'text' && event.text) yield event.text
    if (event.type === 'done') return
    if (event.type === 'error') throw new Error(event.error ?? 'Stream error')
  }
  throw new Error('The answer stopped before its end')
}

async function* events(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<RaisEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split(/\r?\n/)
    rest = lines.pop()!
    for (const line of lines) if (line.startsWith('data: ')) yield JSON.parse(line.slice(6))
  }
}
