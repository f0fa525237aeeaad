/**
 * A server in a `fetch` of its own: it answers what the test says, attempt by attempt, and remembers what it was asked.
 */

export interface Asked {
  url: string;
  method: string;
  headers: Headers;
  body: unknown;
  signal: AbortSignal;
}

/** An answer: what `stream()` or `refuse()` gives, or an error to fail with. */
export type Answer = Response | Error | ((asked: Asked) => Response | Promise<Response>);

export class Script {
  readonly asked: Asked[] = [];
  /** Streams that are open now. Two would be a double connection. */
  open = 0;
  mostOpen = 0;
  #answers: Answer[];

  /** The last answer is given again and again. */
  constructor(...answers: Answer[]) {
    this.#answers = answers;
  }

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const request = input instanceof Request ? input : undefined;
    const asked = {
      url: request?.url ?? String(input),
      method: init.method ?? 'GET',
      headers: new Headers(init.headers),
      body: init.body,
      signal: init.signal!,
    };
    this.asked.push(asked);
    const answer = this.#answers.length > 1 ? this.#answers.shift()! : this.#answers[0]!;
    if (answer instanceof Error) throw answer;
    const response = typeof answer === 'function' ? await answer(asked) : answer.clone();
    return this.#counted(response, asked.signal);
  };

  /** Breaks the body when its request is aborted, as the network does. */
  #counted(response: Response, signal: AbortSignal): Response {
    if (!response.body || !response.ok) return response;
    this.open += 1;
    this.mostOpen = Math.max(this.mostOpen, this.open);
    const reader = response.body.getReader();
    let isOpen = true;
    const close = () => {
      if (isOpen) this.open -= 1;
      isOpen = false;
    };
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        signal.addEventListener('abort', () => {
          if (isOpen) controller.error(signal.reason);
          close();
          void reader.cancel().catch(() => {});
        });
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) {
            close();
            controller.close();
          } else controller.enqueue(value);
        } catch (error) {
          close();
          controller.error(error);
        }
      },
      cancel: close,
    });
    const { status, headers } = response;
    return new Response(body, { status, headers });
  }
}

/** The ways a body may go on after its text. */
export type Then = 'end' | 'break' | 'stay';

/** An event stream of this text, which then ends, breaks off, or stays open. */
export function stream(text: string, then: Then = 'end', headers: Record<string, string> = {}): () => Response {
  return () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        if (text) controller.enqueue(new TextEncoder().encode(text));
        if (then === 'end') controller.close();
      },
      pull(controller) {
        if (then === 'break') controller.error(new TypeError('network error'));
      },
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream', ...headers } });
  };
}

export function refuse(status: number, headers: Record<string, string> = {}, text = ''): () => Response {
  return () => new Response(status === 204 ? null : text, { status, headers });
}

/** A Tidewire's headers. */
export const TIDEWIRE = { 'Tidewire-Resume': 'live', 'Tidewire-Heartbeat': '15' };
