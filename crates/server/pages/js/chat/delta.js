/**
 * What an event of an answer says, in OpenAI's two forms (chat completions, responses) and in the relay's own errors.
 * Data in, meaning out: whatever the upstream sends, this does not throw.
 */

/**
 * @typedef {object} Said
 * @property {string} text what is to be shown; empty if nothing
 * @property {string} tool a piece of a call of a tool
 * @property {{ code: string, message: string } | null} error
 * @property {boolean} isCut the answer is as long as it may be, and would have gone on
 */

/**
 * @param {{ type: string, data: string }} event
 * @returns {Said}
 */
export function said({ type, data }) {
  const nothing = { text: '', tool: '', error: null, isCut: false };
  const value = parsed(data);
  if (value === null) return nothing;
  if (type === 'error' || value.error || value.type === 'error') return { ...nothing, error: errorOf(value) };
  if (typeof value.type === 'string') return { ...nothing, ...ofResponse(value) };
  const choice = value.choices?.[0];
  return {
    text: text(choice?.delta?.content) + text(choice?.delta?.refusal),
    tool: (list(choice?.delta?.tool_calls)).map((call) => toolText(call?.function?.name, call?.function?.arguments)).join(''),
    error: null,
    isCut: choice?.finish_reason === 'length',
  };
}

/** @param {any} value */
function ofResponse(value) {
  switch (value.type) {
    case 'response.output_text.delta':
    case 'response.refusal.delta':
      return { text: text(value.delta) };
    case 'response.output_item.added':
      return value.item?.type === 'function_call' ? { tool: toolText(value.item.name, '') } : {};
    case 'response.function_call_arguments.delta':
      return { tool: text(value.delta) };
    case 'response.incomplete':
      return { isCut: true };
    case 'response.failed':
      return { error: errorOf({ error: value.response?.error }) };
    default:
      return {};
  }
}

/** @param {any} value */
function errorOf(value) {
  const error = typeof value.error === 'object' && value.error !== null ? value.error : value;
  return { code: text(error.code), message: text(error.message) || text(value.error) };
}

/** @param {unknown} name @param {unknown} pieces */
function toolText(name, pieces) {
  return (text(name) && `${text(name)} `) + text(pieces);
}

/** @param {unknown} value */
function text(value) {
  return typeof value === 'string' ? value : '';
}

/** @param {unknown} value @returns {any[]} */
function list(value) {
  return Array.isArray(value) ? value : [];
}

/** @param {string} data @returns {any} */
function parsed(data) {
  try {
    const value = JSON.parse(data);
    return typeof value === 'object' ? value : null;
  } catch {
    return null; // `[DONE]`, or what nobody here knows
  }
}
