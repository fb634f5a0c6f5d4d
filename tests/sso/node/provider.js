// A real OpenID Connect provider for the tests: oidc-provider, with its own login form, accounts from the command line.
// Handed: {port, clients, accounts: {subject: claims}} as one JSON argument. Prints "ready" once it listens.
import http from "node:http";
import Provider from "oidc-provider";

const { port, clients, accounts } = JSON.parse(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const provider = new Provider(issuer, {
  clients,
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email", "email_verified"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
  findAccount: (_, id) => {
    return accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) };
  },
});
provider.on("server_error", (_, error) => console.error(error));
http.createServer(provider.callback()).listen(port, "127.0.0.1", () => console.log("ready"));
