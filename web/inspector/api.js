// The admin API, as the inspector uses it. A refusal becomes an ApiError with the text of its problem+json.

export class ApiError extends Error {
  constructor(status, message, field) {
    super(message);
    this.status = status;
    this.field = field;
  }
}

const kLimit = 30_000;  // milliseconds that an answer may take

async function refuse(response) {
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(response.status, String(problem.detail ?? problem.title ?? `status ${response.status}`), problem.field);
}

/** A request to the API; answers the response, or throws an ApiError: status 0 where none came. */
export async function ask(path, { method = 'GET', body, limit = kLimit, keepalive = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      redirect: 'error',
      cache: 'no-store',
      keepalive,
      signal: AbortSignal.timeout(limit),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  } catch (error) {
    throw new ApiError(0, error.name === 'TimeoutError' ? 'the instance did not answer in time' : 'the instance does not answer');
  }
  return response.ok ? response : refuse(response);
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** Turns the one-time key of the address into the session's cookie, and takes it out of the address and the history first. */
export async function openSession() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (!key) return;
  history.replaceState(null, '', location.pathname);
  await ask('/inspector/session', { method: 'POST', body: { key } });
}
