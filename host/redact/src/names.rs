//! Names that people give to secrets: options, variables, members, headers.

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// It is a secret.
    Secret,
    /// It is a secret if it looks like one.
    Perhaps,
    /// Nothing.
    Nothing,
}

/// Words that make a name one of a secret.
const SECRETS: [&str; 16] = [
    "pass",
    "pw",
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "pwd",
    "passcode",
    "secret",
    "token",
    "apikey",
    "apitoken",
    "credential",
    "accesskey",
    "secretkey",
    "authkey",
];
/// What a name of one word may end with, as in `PGPASSWORD` or `authtoken`.
const ENDINGS: [&str; 7] = ["password", "passwd", "passphrase", "token", "secret", "apikey", "secretkey"];
/// Two words in a row that mean a secret.
const PAIRS: [(&str, &str); 16] = [
    ("api", "key"),
    ("access", "key"),
    ("account", "key"),
    ("secret", "key"),
    ("private", "key"),
    ("signing", "key"),
    ("encryption", "key"),
    ("master", "key"),
    ("auth", "key"),
    ("app", "key"),
    ("application", "key"),
    ("storage", "key"),
    ("service", "key"),
    ("license", "key"),
    ("deploy", "key"),
    ("recovery", "code"),
];
/// Words of names whose value is a secret if it looks random.
const PERHAPS: [&str; 21] = [
    "key",
    "auth",
    "sas",
    "sig",
    "signature",
    "cred",
    "creds",
    "credentials",
    "session",
    "sid",
    "cookie",
    "jwt",
    "bearer",
    "hmac",
    "otp",
    "seed",
    "pat",
    "secrets",
    "tokens",
    "webhook",
    "authorization",
];
/// Last words of names that speak about a secret without holding it.
const ABOUT: [&str; 60] = [
    "sha256",
    "sha1",
    "md5",
    "digest",
    "fingerprint",
    "checksum",
    "id",
    "ids",
    "file",
    "files",
    "path",
    "name",
    "names",
    "url",
    "uri",
    "type",
    "length",
    "len",
    "count",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "policy",
    "hint",
    "field",
    "header",
    "env",
    "var",
    "dir",
    "size",
    "version",
    "regex",
    "pattern",
    "prefix",
    "arn",
    "endpoint",
    "manager",
    "store",
    "provider",
    "limit",
    "limits",
    "budget",
    "usage",
    "rotation",
    "age",
    "status",
    "stdin",
    "fd",
    "format",
    "ref",
    "selector",
    "label",
    "scope",
    "scopes",
    "audience",
    "issuer",
    "mount",
    "required",
    "enabled",
];

/// What a name says of its value. Words are told apart by signs and by capitals: `dbPassword`, `DB_PASSWORD`.
pub(crate) fn named(name: &str) -> Named {
    let words = words(name);
    let Some(last) = words.last() else { return Named::Nothing };
    if ABOUT.contains(&last.as_str()) {
        return Named::Nothing;
    }
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let pair = words.windows(2).any(|two| matches!(two, [one, two] if PAIRS.contains(&(one.as_str(), two.as_str()))));
    let ends = ENDINGS.iter().any(|ending| last.ends_with(ending));
    if has(&SECRETS) || ends || pair {
        Named::Secret
    } else if has(&PERHAPS) {
        Named::Perhaps
    } else {
        Named::Nothing
    }
}

fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for character in name.chars() {
        let splits = before.is_ascii_lowercase() && character.is_ascii_uppercase();
        if (splits || !character.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "PGPASSWORD",
            "--client-secret",
            "AWS_SECRET_ACCESS_KEY",
            "x-api-key",
            "AccountKey",
            "SharedAccessKey",
            "_authToken",
            "spring.datasource.password",
            "GITHUB_TOKEN",
            "apikey",
        ] {
            assert_eq!(named(name), Named::Secret, "{name}");
        }
        for name in ["key", "AUTH", "sig", "session", "sort-key", "webhook"] {
            assert_eq!(named(name), Named::Perhaps, "{name}");
        }
        for name in [
            "",
            "-",
            "user",
            "token_id",
            "secret-name",
            "password_file",
            "--password-stdin",
            "keyboard",
            "tokenizer",
            "max_token_limit",
            "passthrough",
            "monkey",
            "author",
            "secretary",
        ] {
            assert_eq!(named(name), Named::Nothing, "{name}");
        }
    }
}
