// The stock SDK of A2A against an agent of a node: prints what it got, as JSON. Arguments: URL KEY AGENT STEPS(JSON);
// a step is {do: send|stream|get|list|cancel|follow, text?, message?, task?, at_once?}.
const { randomUUID } = require("node:crypto");
const { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } = require("@a2a-js/sdk/client");

async function main() {
  const [url, key, agent, text] = process.argv.slice(2);
  const fetchImpl = (to, options = {}) => fetch(to, { ...options, headers: { ...options.headers, Authorization: `Bearer ${key}` } });
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  });
  const client = await factory.createFromUrl(`${url}/api/v1/agents/${agent}/`);
  const out = { card: client.agentCard, steps: [] };
  for (const step of JSON.parse(text)) {
    const message = {
      messageId: step.message ?? randomUUID(), contextId: "", taskId: step.task ?? "", role: 1, extensions: [],
      referenceTaskIds: [], metadata: undefined,
      parts: [{ content: { $case: "text", value: step.text ?? "" }, metadata: undefined, filename: "", mediaType: "text/plain" }],
    };
    const configuration = { acceptedOutputModes: [], returnImmediately: step.at_once ?? false, taskPushNotificationConfig: undefined };
    const params = { tenant: "", message, configuration, metadata: undefined };
    const one = { tenant: "", id: step.task };
    const collect = async (stream) => {
      const all = [];
      for await (const event of stream) all.push(event.payload ?? event);
      return all;
    };
    try {
      const done =
        step.do === "send" ? client.sendMessage(params)
        : step.do === "stream" ? collect(client.sendMessageStream(params))
        : step.do === "get" ? client.getTask(one)
        : step.do === "list" ? client.listTasks({ tenant: "", contextId: "", status: 0, pageSize: 10, pageToken: "" })
        : step.do === "cancel" ? client.cancelTask(one)
        : collect(client.resubscribeTask(one));
      out.steps.push(await done);
    } catch (e) {
      out.steps.push({ refused: e.message, name: e.name });
    }
  }
  console.log(JSON.stringify(out));
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
