import * as legacy from '../../interop/legacy/client.mjs';
import * as modern from '../../interop/new/client.mjs';
import { answerLines } from '../../interop/lines.mjs';

const generations = { legacy, new: modern };
const copy = (value) => JSON.parse(JSON.stringify(value));

/**
 * A chat with the real client of one generation. Its server is the one at `url`, or the script: one
 * list of events a request.
 */
async function play({ generation, url, script, steps, client: options = {}, tools = [] }) {
  const { ChatClient, fetchServerSentEvents } = generations[generation];
  const bodies = [];
  const shown = [];
  const calls = [];
  const fetchClient = async (_url, { body }) => {
    const { threadId = 't', runId = 'r' } = JSON.parse(body);
    const events = script[bodies.length] ?? [];
    bodies.push(body);
    const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
    return new Response(text.replaceAll('$thread', threadId).replaceAll('$run', runId));
  };
  const client = new ChatClient({
    ...options,
    connection: fetchServerSentEvents(url ?? 'http://chat.test/', url ? {} : { fetchClient }),
    tools: tools.map(({ output, error, ...tool }) => ({
      ...tool,
      ...(error || output !== undefined ? { execute: async () => answer(output, error) } : {}),
    })),
    onChunk: () => shown.push(copy(client.getMessages())),
    onFinish: (message) => calls.push(['finish', message.id]),
    onError: (error) => calls.push(['error', error.message]),
    onStatusChange: (status) => calls.push(['status', status]),
    onSubscriptionChange: (subscribed) => calls.push(['subscribed', subscribed]),
    onConnectionStatusChange: (status) => calls.push(['connection', status]),
    // the older client knows of no current run, and takes one for unfinished that has no terminal event
    ...(generation === 'new' && {
      onSessionGeneratingChange: (generating) => calls.push(['generating', generating]),
      onRunIdChange: (runId) => calls.push(['run', runId]),
    }),
    onCustomEvent: (name, value, { toolCallId = null }) => calls.push(['custom', name, value, toolCallId]),
  });
  const act = {
    send: (content, body) => client.sendMessage(content, body),
    append: (message) => client.append(message),
    reload: () => client.reload(),
    clear: () => client.clear(),
    approve: (id, approved) => client.addToolApprovalResponse({ id, approved }),
    resolve: (approved) => client.resolveInterrupts(approved),
    cancel: () => client.cancelInterrupts(),
    result: (toolCallId, tool, output) => client.addToolResult({ toolCallId, tool, output }),
  };
  for (const [name, ...values] of steps) {
    await act[name](...values);
    await settled(client);
  }
  shown.push(copy(client.getMessages()));
  return { shown, bodies, calls, status: client.getStatus() };
}

function answer(output, error) {
  if (error) throw new Error(error);
  return output;
}

/** Some steps start a continuation without waiting for it. */
async function settled(client) {
  for (let idle = 0; idle < 5; idle = client.getIsLoading() ? 0 : idle + 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

await answerLines(play);
