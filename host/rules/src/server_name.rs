//! Names of MCP servers in the lists of a policy.
//!
//! A server whose source is known is called `SOURCE:NAME`, one that a plugin brought `plugin:PLUGIN:NAME`. An entry may
//! name all of that, source and name (`plugin:NAME` is the server of any plugin), or the name alone. A name alone allows
//! a server from where the user or an administrator configured it, because a plugin chooses the names of its servers
//! itself; it blocks servers of every source.

/// Sources whose servers were named by whoever uses or administers the machine and the project.
const CONFIGURED: [&str; 8] = ["local", "user", "project", "enterprise", "managed", "dynamic", "claudeai", "settings"];

/// An entry of `mcp.allowed_servers` is about this server.
pub(crate) fn allows(entry: &str, server: &str) -> bool {
    entry == server
        || parts(server).is_some_and(|(source, name)| {
            (entry == name && CONFIGURED.contains(&source)) || parts(entry) == Some((source, name)) && of_any(entry)
        })
}

/// An entry of `mcp.blocked_servers` is about this server.
pub(crate) fn blocks(entry: &str, server: &str) -> bool {
    allows(entry, server) || parts(server).is_some_and(|(_, name)| entry == name)
}

/// Source and name of a server that has both; what stands between them says who brought it.
fn parts(server: &str) -> Option<(&str, &str)> {
    let (source, rest) = server.split_once(':')?;
    Some((source, rest.rsplit(':').next().unwrap_or(rest)))
}

/// The entry leaves open who brought the server.
fn of_any(entry: &str) -> bool {
    entry.matches(':').count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_servers_with_and_without_their_source() {
        for (entry, server, allowed, blocked) in [
            ("github", "github", true, true),
            ("github", "gitlab", false, false),
            ("github", "project:github", true, true),
            ("github", "user:github", true, true),
            ("github", "plugin:Hub:github", false, true),
            ("github", "elsewhere:github", false, true),
            ("project:github", "project:github", true, true),
            ("project:github", "user:github", false, false),
            ("project:github", "github", false, false),
            ("plugin:github", "plugin:Hub:github", true, true),
            ("plugin:Hub:github", "plugin:Hub:github", true, true),
            ("plugin:Evil:github", "plugin:Hub:github", false, false),
            ("plugin:Hub", "plugin:Hub:github", false, false),
            ("elsewhere:github", "elsewhere:github", true, true),
            ("", "plugin:", false, true),
        ] {
            assert_eq!((allows(entry, server), blocks(entry, server)), (allowed, blocked), "{entry} {server}");
        }
    }
}
