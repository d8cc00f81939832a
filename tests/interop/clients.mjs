import { chat } from './chat.mjs';
import { answerLines } from './lines.mjs';
import { rais } from './rais.mjs';

await answerLines((scenario, tell) => {
  return scenario.generation === 'rais' ? rais(scenario) : chat(scenario, tell);
});
process.exit();
