//! Forms of paths and hosts that mean the same to the author of a rule.

/// The path as it is written from the home directory, where its text tells: `~/x` of `/home/ada/x`.
pub(crate) fn from_home(path: &str) -> Option<String> {
    let mut folders = path.splitn(4, '/');
    let (None | Some(""), Some(first)) = (folders.next(), folders.next()) else { return None };
    let below = match first {
        "root" => path.get(1 + first.len()..)?,
        "home" | "Users" => {
            let name = folders.next().filter(|name| !name.is_empty())?;
            path.get(first.len() + name.len() + 2..)?
        }
        _ => return None,
    };
    Some(["~", below].concat())
}

/// The names of this machine for itself.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let numbers = || host.split('.').all(|number| number.parse::<u8>().is_ok());
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "::1"
        || (host.starts_with("127.") && host.split('.').count() == 4 && numbers())
}

/// What other programs run by themselves, or agents take as their settings: whoever writes it decides what is run later,
/// outside of any decision. No entry of `effects.allow` covers writing it, however wide it is.
pub(crate) const RUN_BY_OTHERS: [&str; 37] = [
    "**/.git",
    "**/.git/*",
    "**/.gitconfig",
    "**/.config/git/*",
    "**/.gitmodules",
    "**/.husky/*",
    "**/lefthook*.y*ml",
    "**/.pre-commit-config.yaml",
    "**/.github/workflows/*",
    "**/.github/actions/*",
    "**/.gitlab-ci.yml",
    "**/.circleci/*",
    "**/.buildkite/*",
    "**/azure-pipelines.yml",
    "**/bitbucket-pipelines.yml",
    "**/Jenkinsfile",
    "**/.cavra/*",
    "**/.mcp.json",
    "**/.claude/*",
    "**/.claude.json",
    "**/.cursor/*",
    "**/.codex/*",
    "**/.gemini/*",
    "**/opencode.json*",
    "**/.vscode/*",
    "**/.idea/*",
    "**/.devcontainer/*",
    "**/.envrc",
    "**/.npmrc",
    "**/.yarnrc*",
    "**/.cargo/config*",
    "**/.ssh/*",
    "**/.bash*",
    "**/.profile",
    "**/.zsh*",
    "**/.zprofile",
    "**/.local/bin/*",
];

/// What shows the environment of a process.
pub(crate) const ENVIRONMENT_FILES: &str = "/proc/*/environ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_are_told_by_their_text() {
        for (path, expected) in [
            ("/home/ada/.zshrc", Some("~/.zshrc")),
            ("/home/ada", Some("~")),
            ("/home/", None),
            ("/root", Some("~")),
            ("/root/.ssh/id", Some("~/.ssh/id")),
            ("/rooted/x", None),
            ("/etc/passwd", None),
            ("home/ada", None),
        ] {
            assert_eq!(from_home(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn loopback_has_several_names() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "app.localhost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "127.x.0.1", "", "?"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
