/**
 * A choice among the topics that are read.
 */

/**
 * Fills the choice; what was chosen stays chosen if it is still there.
 * @param {HTMLSelectElement} choice
 * @param {string[]} topics
 * @param {string} [all] the text of a first entry for all of them, whose value is empty
 */
export function drawTopicChoice(choice, topics, all) {
  const chosen = choice.value;
  const options = topics.map((topic) => new Option(topic, topic));
  if (all !== undefined) options.unshift(new Option(all, ''));
  choice.replaceChildren(...options);
  if (topics.includes(chosen)) choice.value = chosen;
}
