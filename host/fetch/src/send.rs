//! One request to addresses that the caller has looked at, and what is answered.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method, Url};
use thiserror::Error;

/// Most hosts whose connections are kept.
const MOST_HOSTS: usize = 256;

/// A request.
#[derive(Clone)]
pub struct Outgoing {
    /// Its method.
    pub method: String,
    /// Where to. The host is only a name here: it is not looked up.
    pub url: Url,
    /// Its headers. None of them is ever shown.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// Who may vouch for the host, besides the authorities that the system trusts.
    pub authorities: Option<Authorities>,
}

/// Certificates of authorities.
#[derive(Clone, Debug)]
pub struct Authorities {
    pem: Arc<[u8]>,
    certificates: Vec<Certificate>,
}

/// A text holds no certificates.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it holds no certificates")]
pub struct NoCertificates;

impl Authorities {
    /// The certificates in a text of PEM (RFC 7468).
    ///
    /// # Errors
    /// [`NoCertificates`], also for one that cannot be read.
    pub fn of_pem(text: &[u8]) -> Result<Self, NoCertificates> {
        let certificates = Certificate::from_pem_bundle(text).map_err(|_| NoCertificates)?;
        if certificates.is_empty() {
            return Err(NoCertificates);
        }
        Ok(Self { pem: text.into(), certificates })
    }
}

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

/// A proxy that opens tunnels (RFC 9110, section 9.3.6). It shows nowhere: its address may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl Proxy {
    /// The proxy at an address of `http` or `https`, which may name a user and a password.
    #[must_use]
    pub fn at(address: &str) -> Option<Self> {
        let url: Url = address.parse().ok()?;
        let is_one = matches!(url.scheme(), "http" | "https") && url.has_host() && url.path() == "/";
        (is_one && url.query().is_none()).then_some(Self(url))
    }
}

/// The way that a request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To one of these addresses, whatever the name of the host leads to by now.
    Direct(Vec<SocketAddr>),
    /// Through a tunnel of a proxy, which finds out where the host is.
    Through(Proxy),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status, whatever it is: redirects are not followed.
    pub status: u16,
    /// When the receiver wants the next request.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// Why there is no answer. Nothing of the request is in it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// It is no request that can be sent.
    #[error("this is no request")]
    NoRequest,
    /// There is no client for such addresses here.
    #[error("TLS is not available")]
    NoClient,
    /// Nobody is there, or the way there is not safe.
    #[error("nobody can be reached")]
    Unreachable,
    /// It took too long.
    #[error("it took too long")]
    TimedOut,
    /// The exchange broke off.
    #[error("the exchange broke off")]
    Broken,
}

/// A client for a host on that way, for which these may vouch.
type Pinned = (Route, Option<Authorities>, reqwest::Client);

/// Sends requests. Connections to a host are kept as long as the way there stays the same.
#[derive(Default)]
pub struct Sender {
    clients: Mutex<HashMap<String, Pinned>>,
}

impl Sender {
    /// One without connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request on its way, and no other: to no proxy that the environment names, to no other address that the name
    /// may have by now, and not to where an answer points. What goes through a proxy is encrypted, so that the proxy sees
    /// nothing but the name. At most `limit` bytes of the answer's body are read.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, outgoing: Outgoing, route: &Route, limit: usize) -> Result<Answer, SendError> {
        if matches!(route, Route::Through(_)) && outgoing.url.scheme() != "https" {
            return Err(SendError::NoRequest);
        }
        let client = self.client(&outgoing.url, route, outgoing.authorities.as_ref())?;
        let method = Method::from_bytes(outgoing.method.as_bytes()).map_err(|_| SendError::NoRequest)?;
        let mut headers = HeaderMap::new();
        for (name, value) in outgoing.headers {
            let name = HeaderName::try_from(name).map_err(|_| SendError::NoRequest)?;
            let mut value = HeaderValue::try_from(value).map_err(|_| SendError::NoRequest)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let request = client.request(method, outgoing.url).headers(headers).body(outgoing.body);
        let mut response = request.send().await.map_err(|error| kind(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        let mut body = Vec::new();
        // A body that breaks off does not undo the status.
        while let Ok(Some(chunk)) = response.chunk().await {
            let rest = limit - body.len();
            body.extend(chunk.iter().take(rest));
            if body.len() == limit {
                break;
            }
        }
        Ok(Answer { status, retry_after, body })
    }

    fn client(
        &self,
        url: &Url,
        route: &Route,
        authorities: Option<&Authorities>,
    ) -> Result<reqwest::Client, SendError> {
        let host = url.host_str().ok_or(SendError::NoRequest)?;
        let place = format!("{}://{host}:{}", url.scheme(), url.port_or_known_default().unwrap_or_default());
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pinned, vouching, client)) = clients.get(&place)
            && pinned == route
            && vouching.as_ref() == authorities
        {
            return Ok(client.clone());
        }
        // Fails only if another provider was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(Policy::none()).no_proxy();
        let builder = match authorities {
            Some(authorities) => builder.tls_certs_merge(authorities.certificates.iter().cloned()),
            None => builder,
        };
        let builder = match route {
            Route::Direct(addresses) => builder.resolve_to_addrs(host, addresses),
            Route::Through(Proxy(proxy)) => {
                builder.proxy(reqwest::Proxy::https(proxy.clone()).map_err(|_| SendError::NoClient)?)
            }
        };
        let client = builder.build().map_err(|_| SendError::NoClient)?;
        if clients.len() == MOST_HOSTS {
            clients.clear();
        }
        clients.insert(place, (route.clone(), authorities.cloned(), client.clone()));
        Ok(client)
    }
}

fn kind(error: &reqwest::Error) -> SendError {
    if error.is_timeout() {
        SendError::TimedOut
    } else if error.is_connect() {
        SendError::Unreachable
    } else if error.is_builder() {
        SendError::NoRequest
    } else {
        SendError::Broken
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    /// A receiver at this address that answers with this status.
    fn answering(status: u16, address: &str) -> SocketAddr {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]).unwrap();
                let answer = format!("HTTP/1.1 {status} Well\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    /// Whatever a name leads to by now, and whatever it led to before: the addresses that were looked at are connected to.
    #[test]
    fn only_addresses_that_were_looked_at_are_connected_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sender = Sender::new();
        // For the system, `localhost` leads to the first of them, and the other name nowhere.
        let first = answering(201, "127.0.0.1:0");
        let port = first.port();
        let second = answering(202, &format!("127.0.0.2:{port}"));
        let nobody = SocketAddr::new([127, 0, 0, 3].into(), port);
        let status_at = |host: &str, address: SocketAddr| {
            let url = format!("http://{host}:{port}/").parse().unwrap();
            let outgoing =
                Outgoing { method: "GET".to_owned(), url, headers: Vec::new(), body: Vec::new(), authorities: None };
            runtime.block_on(sender.send(outgoing, &Route::Direct(vec![address]), 10)).map(|answer| answer.status)
        };
        for host in ["localhost", "rebinding.invalid"] {
            for (address, status) in [(second, Ok(202)), (first, Ok(201)), (nobody, Err(SendError::Unreachable))] {
                assert_eq!(status_at(host, address), status, "{host} at {address}");
            }
        }
    }

    const AUTHORITY: &[u8] = include_bytes!("../tests/fixtures/authority.pem");

    /// A receiver behind TLS for which the authority of the tests vouches. It answers every connection that trusts it.
    fn behind_tls() -> SocketAddr {
        let chain = CertificateDer::from_pem_slice(include_bytes!("../tests/fixtures/receiver.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tests/fixtures/receiver.key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![chain], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = rustls::ServerConnection::new(config.clone()).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                // Whoever does not trust it leaves.
                if stream.read(&mut [0; 4096]).is_ok() {
                    let answer = b"HTTP/1.1 200 Well\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(answer).and_then(|()| stream.flush());
                }
            }
        });
        address
    }

    #[test]
    fn an_authority_of_ones_own_may_vouch() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sender, address) = (Sender::new(), behind_tls());
        let status_at = |host: &str, authorities: Option<&Authorities>| {
            let url = format!("https://{host}:{}/", address.port()).parse().unwrap();
            let authorities = authorities.cloned();
            let outgoing =
                Outgoing { method: "GET".to_owned(), url, headers: Vec::new(), body: Vec::new(), authorities };
            runtime.block_on(sender.send(outgoing, &Route::Direct(vec![address]), 10)).map(|answer| answer.status)
        };
        let authority = Authorities::of_pem(AUTHORITY).unwrap();
        let refused = Err(SendError::Unreachable);
        assert_eq!(status_at("receiver.example", None), refused, "the system does not know it");
        assert_eq!(status_at("receiver.example", Some(&authority)), Ok(200));
        assert_eq!(status_at("receiver.example", None), refused, "a connection that was trusted is not used");
        assert_eq!(status_at("other.example", Some(&authority)), refused, "it vouches for another name");
        for text in [&b""[..], b"text", include_bytes!("../tests/fixtures/receiver.key.pem")] {
            assert_eq!(Authorities::of_pem(text).err(), Some(NoCertificates));
        }
    }

    /// A proxy: what it was asked, and a tunnel to `receiver` for whoever knows the password.
    fn proxy(receiver: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let seen = asked.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                seen.lock().unwrap().push(head.clone());
                // `user:password`
                if !head.contains("Basic dXNlcjpwYXNzd29yZA==") {
                    client.write_all(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n").unwrap();
                    continue;
                }
                client.write_all(b"HTTP/1.1 200 Well\r\n\r\n").unwrap();
                let mut there = std::net::TcpStream::connect(receiver).unwrap();
                let (mut back, mut back_to) = (there.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut back, &mut back_to));
                thread::spawn(move || std::io::copy(&mut client, &mut there));
            }
        });
        (address, asked)
    }

    #[test]
    fn a_proxy_sees_the_name_and_nothing_else() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (sender, receiver) = (Sender::new(), behind_tls());
        let (address, asked) = proxy(receiver);
        let status_through = |proxy: &str, url: &str| {
            let outgoing = Outgoing {
                method: "POST".to_owned(),
                url: url.parse().unwrap(),
                headers: vec![("authorization".to_owned(), "Bearer hush".to_owned())],
                body: b"hush".to_vec(),
                authorities: Some(Authorities::of_pem(AUTHORITY).unwrap()),
            };
            let route = Route::Through(Proxy::at(proxy).unwrap());
            runtime.block_on(sender.send(outgoing, &route, 10)).map(|answer| answer.status)
        };
        let known = format!("http://user:password@{address}");
        assert_eq!(status_through(&known, "https://receiver.example/hush"), Ok(200));
        let unknown = format!("http://{address}");
        assert_eq!(status_through(&unknown, "https://receiver.example/"), Err(SendError::Unreachable));
        assert_eq!(
            status_through(&known, "https://other.example/"),
            Err(SendError::Unreachable),
            "nobody vouches for it"
        );
        assert_eq!(status_through(&known, "http://receiver.example/"), Err(SendError::NoRequest));
        let asked = asked.lock().unwrap().clone();
        assert!(asked[0].starts_with("CONNECT receiver.example:443 HTTP/1.1\r\n"), "{asked:?}");
        assert!(!asked.concat().contains("hush"), "{asked:?}");
        assert_eq!(asked.len(), 3, "{asked:?}");
    }

    #[test]
    fn a_proxy_has_an_address() {
        for address in ["http://proxy:3128", "https://u:p@proxy.example/"] {
            let proxy = Proxy::at(address).unwrap();
            assert!(!format!("{proxy:?}").contains("proxy.example"));
        }
        for wrong in ["", "proxy:3128", "socks5://proxy", "http://", "http://proxy/path", "http://proxy/?q"] {
            assert!(Proxy::at(wrong).is_none(), "{wrong}");
        }
    }
}
