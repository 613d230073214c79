//! An address that is fetched, as an action: what `curl` would do with it, without the command.

use cavra_model::{Action, ActionType};

use crate::arguments::quoted;
use crate::{ActionRequest, Refusal, normalize};

/// What fetching an address does: the host that it reaches, or the file that it reads. Only rules about effects have
/// anything to say of it; there is no text that a rule about commands could match.
///
/// # Errors
/// [`Refusal`], as for a command of that length.
pub fn fetch(address: &str) -> Result<Action, Refusal> {
    let line = format!("curl -- {}", quoted(address));
    let mut action = normalize(ActionRequest { target: Some(line), ..ActionRequest::of(ActionType::ExecuteCommand) })?;
    if let Action::ExecuteCommand(command) = &mut action {
        address.clone_into(&mut command.written);
        command.text.clear();
        for part in &mut command.parts {
            part.spellings = vec![String::new()];
            part.dequoted.clear();
        }
        let effects = &mut command.effects;
        let of_network = effects.network.iter_mut().map(|effect| &mut effect.why);
        let of_files = effects.files.iter_mut().map(|effect| &mut effect.why);
        of_network.chain(of_files).for_each(|why| "the address".clone_into(why));
    }
    Ok(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_or_a_file() {
        for (address, does) in [
            ("https://docs.rs/serde?x=1", "reach docs.rs"),
            ("https://user:pw@Evil.Example.:8443/a b'c", "reach evil.example"),
            ("evil.example/path", "reach evil.example"),
            ("file:///etc/shadow", "read /etc/shadow"),
            ("https://{a,b}.example/", "reach ?"),
        ] {
            let Ok(Action::ExecuteCommand(command)) = fetch(address) else { panic!("{address}") };
            let effects = &command.effects;
            let hosts = effects.network.iter().map(|effect| format!("reach {}", effect.host));
            let files = effects.files.iter().map(|effect| format!("read {}", effect.path));
            assert_eq!(hosts.chain(files).collect::<Vec<_>>(), [does], "{address}");
            assert_eq!((command.written.as_str(), command.text.as_str(), command.parts.len()), (address, "", 1));
        }
    }
}
