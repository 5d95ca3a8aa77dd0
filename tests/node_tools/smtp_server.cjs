// A mail server for tests: `smtp-server` on loopback, with STARTTLS. Usage: node smtp_server.cjs NODE_MODULES PORT SETTINGS,
// where SETTINGS is JSON {key, cert, user, password, state}: with `user` a login is needed; `state` is a file of JSON that is read
// for each mail: {"refuse": {"mail": STATUS, "data": STATUS}}. Says "ready PORT", then each mail that it took as a line of JSON.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const [modules, port, settings] = process.argv.slice(2);
const { key, cert, user, password, state } = JSON.parse(settings);

function refusal(step) {
  const status = JSON.parse(fs.readFileSync(state, "utf8")).refuse?.[step];
  return status ? Object.assign(new Error(`refused at ${step}`), { responseCode: status }) : null;
}

async function main() {
  const { SMTPServer } = require(path.join(modules, "smtp-server"));
  const server = new SMTPServer({
    key: fs.readFileSync(key),
    cert: fs.readFileSync(cert),
    authOptional: !user,
    logger: false,
    onAuth(auth, session, done) {
      const right = auth.username === user && auth.password === password;
      done(right ? null : new Error("wrong password"), { user: auth.username });
    },
    onMailFrom(address, session, done) {
      done(refusal("mail"));
    },
    onData(stream, session, done) {
      const parts = [];
      stream.on("data", (part) => parts.push(part));
      stream.on("end", () => {
        const refused = refusal("data");
        const { mailFrom, rcptTo } = session.envelope;
        console.log(
          JSON.stringify({
            from: mailFrom.address,
            to: rcptTo.map((one) => one.address),
            secure: session.secure,
            user: session.user ?? null,
            taken: !refused,
            raw: Buffer.concat(parts).toString("latin1"),
          }),
        );
        done(refused);
      });
    },
  });
  server.on("error", () => {}); // of a client that was killed
  server.listen(Number(port), "127.0.0.1", () => console.log(`ready ${server.server.address().port}`));
}

main();
