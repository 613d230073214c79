//! An identity provider made of one key: the configuration that trusts it, and tokens it signs.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents};
use serde_json::{Value, json};

/// Its key; it signs nothing but tests.
const KEY: &str = include_str!("issuer-key.pem");

pub struct Issuer {
    key: RsaKeyPair,
}

impl Issuer {
    pub fn new() -> Self {
        let base64: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
        Self { key: RsaKeyPair::from_pkcs8(&STANDARD.decode(base64).unwrap()).unwrap() }
    }

    /// The configuration that trusts it, with further members.
    pub fn config(&self, more: &Value) -> Value {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.key.public());
        let key = json!({"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig",
            "n": URL_SAFE_NO_PAD.encode(public.n), "e": URL_SAFE_NO_PAD.encode(public.e)});
        let mut config = json!({"issuer": "https://issuer.example", "audience": "cavra", "jwks": {"keys": [key]}});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    }

    /// A token of a person: their name, and the groups they are in.
    pub fn token(&self, name: &str, groups: &[&str]) -> String {
        let claims = json!({"sub": name, "email": format!("{name}@x.example"), "groups": groups});
        self.signed(&json!({"alg": "RS256", "kid": "k1", "typ": "JWT"}), claims)
    }

    /// A token with these claims; issuer, audience and a far end are added where they are not given.
    pub fn signed(&self, header: &Value, claims: Value) -> String {
        let mut all = json!({"iss": "https://issuer.example", "aud": "cavra", "exp": 4_102_444_800_u64});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(header), encode(&all));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token of the issuer looks like whose groups somebody else wrote.
    pub fn forged(&self, name: &str, groups: &[&str]) -> String {
        let (honest, wanted) = (self.token(name, &[]), self.token(name, groups));
        let payload = wanted.split('.').nth(1).unwrap();
        let mut segments: Vec<_> = honest.split('.').collect();
        segments[1] = payload;
        segments.join(".")
    }
}
