import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Wiretap } from '../wiretap.mjs';

// The scenario rides in the fragment, so that a reload of the page finds it again.
const { framing, url, options, chat, cuts } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const fetchClient = cuts && new Wiretap(framing, cuts).fetch;

/** The chat of TanStack AI's guide, around the `useChat` of one generation. */
function Chat({ tanstack }) {
  const { useChat, fetchServerSentEvents, fetchHttpStream, localStoragePersistence } = tanstack;
  const connect = { sse: fetchServerSentEvents, ndjson: fetchHttpStream }[framing];
  const { messages, sendMessage, stop, status, error } = useChat({
    ...chat,
    connection: connect(url, { ...options, fetchClient }),
    ...(chat?.threadId && { persistence: localStoragePersistence() }),
  });
  const [input, setInput] = useState('');

  const send = (event) => {
    event.preventDefault();
    sendMessage(input);
    setInput('');
  };

  return (
    <main data-status={status}>
      {messages.map((message) => (
        <article key={message.id} data-role={message.role}>
          {message.parts.map((part, index) => {
            if (part.type === 'text') return <p key={index}>{part.content}</p>;
            if (part.type === 'thinking') return <em key={index}>{part.content}</em>;
            return null;
          })}
        </article>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <form onSubmit={send}>
        <input value={input} onChange={(event) => setInput(event.target.value)} />
        <button>Send</button>
        <button type="button" onClick={stop}>Stop</button>
      </form>
    </main>
  );
}

export function mount(tanstack) {
  createRoot(document.getElementById('root')).render(<Chat tanstack={tanstack} />);
}
