//! Keys, and tokens made with them, honest and forged.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cavra_model::Object;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};

pub const ISSUER: &str = "https://id.example";
pub const AUDIENCE: &str = "cavra";

/// Somebody with an RSA key.
pub struct Signer(RsaKeyPair);

impl Signer {
    /// The provider everybody trusts.
    pub fn provider() -> &'static Self {
        static KEY: LazyLock<Signer> =
            LazyLock::new(|| Signer::read(include_str!("../fixtures/test-key-provider.pem")));
        &KEY
    }

    /// Somebody else: an attacker, or the provider's next key.
    pub fn other() -> &'static Self {
        static KEY: LazyLock<Signer> = LazyLock::new(|| Signer::read(include_str!("../fixtures/test-key-other.pem")));
        &KEY
    }

    fn read(pem: &str) -> Self {
        let inside = pem.split("-----").nth(2).unwrap().split_whitespace().collect::<String>();
        Self(RsaKeyPair::from_pkcs8(&STANDARD.decode(inside).unwrap()).unwrap())
    }

    /// Modulus and exponent.
    pub fn components(&self) -> PublicKeyComponents<Vec<u8>> {
        self.0.public().into()
    }

    /// The public key as DER, of PKCS #1.
    pub fn public_der(&self) -> &[u8] {
        self.0.public().as_ref()
    }

    /// The public key as a JSON Web Key.
    pub fn jwk(&self, kid: &str) -> Value {
        let PublicKeyComponents { n, e } = self.components();
        json!({"kty": "RSA", "kid": kid, "n": b64(n), "e": b64(e)})
    }

    /// A signature over whatever it is.
    pub fn sign(&self, encoding: &'static dyn RsaEncoding, message: &str) -> Vec<u8> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        self.0.sign(encoding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        signature
    }

    /// A token with these texts as header and claims, signed as RS256 whatever the header says.
    pub fn token(&self, header: impl ToString, claims: impl ToString) -> String {
        self.sealed(&format!("{}.{}", b64(header.to_string()), b64(claims.to_string())))
    }

    /// `header.payload` as it is, and its RS256 signature.
    pub fn sealed(&self, signed: &str) -> String {
        format!("{signed}.{}", b64(self.sign(&RSA_PKCS1_SHA256, signed)))
    }
}

/// base64url without padding.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A header that is fine.
pub fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "k1"})
}

/// Claims that are fine.
pub fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now() + 300, "sub": "u1", "email": "ann@corp.example", "groups": ["IAM"]})
}

/// Fine claims but for some members.
pub fn claims_with(members: Value) -> Value {
    let mut all = claims();
    all.as_object_mut().unwrap().extend(object(members));
    all
}

/// A token that is fine.
pub fn good_token() -> String {
    Signer::provider().token(header(), claims())
}

/// The three parts of a token.
pub fn segments(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

pub fn object(value: Value) -> Object {
    value.as_object().cloned().unwrap()
}
