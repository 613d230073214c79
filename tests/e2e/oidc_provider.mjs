// A real OpenID provider for tests: people ann (of the group IAM) and bob (of another), one client per way to a token.
// It says where it listens, and takes a new key, and forgets everything, for every line on standard input. It ends
// with its standard input.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const accounts = {
  ann: { email: 'ann@corp.example', groups: ['IAM'] },
  bob: { email: 'bob@corp.example', groups: ['Repository Owners'] },
};
const machines = { 'ci-iam': { groups: ['IAM'] } };
// A resource is where a token is to be used; the second one is somebody else's.
const audiences = { 'https://cavra.example/': 'cavra', 'https://other.example/': 'other' };

function start(issuer, kid) {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...key, kid, alg: 'RS256', use: 'sig' }] },
    cookies: { keys: ['for tests'] },
    // The client of people has the server's audience as its name, so that its ID tokens are for the server too.
    clients: [
      {
        client_id: 'cavra', client_secret: 'secret', grant_types: ['authorization_code'], response_types: ['code'],
        redirect_uris: ['https://console.example/callback'], token_endpoint_auth_method: 'client_secret_post',
      },
      ...Object.keys(machines).map((client_id) => ({
        client_id, client_secret: 'secret', grant_types: ['client_credentials'], response_types: [], redirect_uris: [],
        token_endpoint_auth_method: 'client_secret_post',
      })),
    ],
    claims: { openid: ['sub'], email: ['email'], groups: ['groups'] },
    conformIdTokenClaims: false,
    findAccount: (context, id) => accounts[id] && {
      accountId: id,
      claims: () => ({ sub: id, ...accounts[id] }),
    },
    extraTokenClaims: (context, token) => accounts[token.accountId] ?? machines[token.clientId],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (context, resource) => ({
          scope: 'approve', audience: audiences[resource], accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  return provider.callback();
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  let generation = 1;
  let answer = start(issuer, `key-${generation}`);
  server.on('request', (request, response) => answer(request, response));
  console.log(issuer);
  createInterface({ input: process.stdin })
    .on('line', () => {
      generation += 1;
      answer = start(issuer, `key-${generation}`);
      console.log(`key-${generation}`);
    })
    .on('close', () => process.exit(0));
});
