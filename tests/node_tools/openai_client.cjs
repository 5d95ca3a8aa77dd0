// The stock SDK of OpenAI against a node: prints what it got, as JSON. Arguments: URL KEY MODEL MESSAGES(JSON)
const OpenAI = require("openai");

async function main() {
  const [url, key, model, text] = process.argv.slice(2);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const messages = JSON.parse(text);
  const out = { models: [] };
  for await (const one of client.models.list()) out.models.push(one.id);
  try {
    const whole = await client.chat.completions.create({ model, messages, temperature: 0.2, user: "somebody" });
    out.whole = { text: whole.choices[0].message.content, finish: whole.choices[0].finish_reason, usage: whole.usage, id: whole.id };
  } catch (e) {
    out.refused = { status: e.status, message: e.message, code: e.code, param: e.param };
  }
  try {
    const parts = [];
    let finish = null;
    let usage = null;
    const stream = await client.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } });
    for await (const chunk of stream) {
      if (chunk.usage) usage = chunk.usage;
      const choice = chunk.choices[0];
      if (choice?.delta?.content) parts.push(choice.delta.content);
      if (choice?.finish_reason) finish = choice.finish_reason;
    }
    out.streamed = { parts: parts.length, text: parts.join(""), finish, usage };
  } catch (e) {
    out.broken = { status: e.status ?? null, message: e.message };
  }
  console.log(JSON.stringify(out));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
