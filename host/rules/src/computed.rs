//! Values of which some stretches are known only when a command runs. docs/reference/decisions-and-policy.md, section 2.3: what is not certain is
//! never allowed.
//!
//! `kubectl $verb ns prod` may be `kubectl delete ns prod`. A pattern that blocks or wants approval may match such a value
//! if text in place of the computed stretches makes it match. Only what a pattern says before its first `*` counts, stars
//! inside the program's name and inside options apart: what it says after that is about arguments anywhere, and any computed
//! argument could be one of those, so that nobody could pass a variable to anything.

/// How much of a value is looked at in detail. The words that say what a command does come early.
const CLOSE_LOOK: usize = 4 * 1024;

/// Whether text in place of the computed stretches, which stand at those offsets of the value, can make the pattern match
/// it, and is needed for that.
pub(crate) fn may_match(pattern: &str, value: &str, computed: &[u32]) -> bool {
    let near = value.floor_char_boundary(CLOSE_LOOK);
    let mut places = Places::new(pattern);
    let mut read = 0;
    for offset in computed.iter().map(|offset| *offset as usize).filter(|offset| *offset <= near) {
        if !places.text(value.get(read..offset).unwrap_or_default()) {
            return false;
        }
        read = read.max(offset);
        places.computed();
    }
    if !places.text(value.get(read..near).unwrap_or_default()) {
        return false;
    }
    if near == value.len() {
        return places.matched();
    }
    places.may_go_on(computed.iter().any(|offset| *offset as usize > near))
}

/// The places of a pattern that what was read of a value may have led to.
struct Places<'p> {
    pattern: &'p [u8],
    /// Text up to here may be computed.
    head: usize,
    /// Each with whether computed text was needed to get there.
    live: Vec<(usize, bool)>,
}

impl<'p> Places<'p> {
    fn new(pattern: &'p str) -> Self {
        let mut places = Self { pattern: pattern.as_bytes(), head: head(pattern), live: Vec::new() };
        let mut live = Vec::new();
        places.enter(&mut live, (0, false));
        places.live = live;
        places
    }

    fn star_at(&self, at: usize) -> bool {
        self.pattern.get(at) == Some(&b'*')
    }

    /// Adds a place, and those that stars which stand for nothing lead to from there.
    fn enter(&self, live: &mut Vec<(usize, bool)>, (mut at, needed): (usize, bool)) {
        loop {
            if live.contains(&(at, needed)) {
                return;
            }
            live.push((at, needed));
            if !self.star_at(at) {
                return;
            }
            at += 1;
        }
    }

    /// Reads text; false if no place is left.
    fn text(&mut self, text: &str) -> bool {
        for byte in text.bytes() {
            self.byte(byte);
            if self.live.is_empty() {
                return false;
            }
        }
        true
    }

    fn byte(&mut self, byte: u8) {
        let mut live = Vec::with_capacity(self.live.len());
        for (at, needed) in &self.live {
            match self.pattern.get(*at) {
                Some(b'*') => self.enter(&mut live, (*at, *needed)),
                Some(literal) if *literal == byte => self.enter(&mut live, (at + 1, *needed)),
                _ => {}
            }
        }
        self.live = live;
    }

    /// A computed stretch: nothing, what a star stands for, or literal text of the pattern's head. Behind a star no text
    /// is taken, because the star stands for it as well.
    fn computed(&mut self) {
        let mut live = self.live.clone();
        for (start, _) in &self.live {
            if start.checked_sub(1).is_some_and(|before| self.star_at(before)) {
                continue;
            }
            let mut at = *start;
            while at < self.head && !self.star_at(at) {
                at += 1;
                self.enter(&mut live, (at, true));
            }
        }
        self.live = live;
    }

    fn matched(&self) -> bool {
        self.live.contains(&(self.pattern.len(), true))
    }

    /// Whether the rest of a value, of which nothing is known but whether more of it is computed, may match.
    fn may_go_on(&self, computed: bool) -> bool {
        self.live.iter().any(|(at, needed)| *needed || (computed && *at < self.head))
    }
}

/// Where the part of a pattern ends that says which program runs and what it is to do.
fn head(pattern: &str) -> usize {
    if pattern.starts_with('*') {
        return 0;
    }
    let mut start = 0;
    for (index, word) in pattern.split(' ').enumerate() {
        if let Some(star) = word.find('*')
            && index > 0
            && !word.starts_with('-')
        {
            return start + star;
        }
        start += word.len() + 1;
    }
    pattern.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(pattern: &str, value: &str) -> bool {
        let (mut text, mut computed) = (String::new(), Vec::new());
        for (index, stretch) in value.split('?').enumerate() {
            if index > 0 {
                computed.push(u32::try_from(text.len()).unwrap());
            }
            text.push_str(stretch);
        }
        may_match(pattern, &text, &computed)
    }

    #[test]
    fn what_a_command_does_may_be_computed() {
        for (pattern, value) in [
            ("kubectl delete *", "kubectl ? ns prod"),
            ("kubectl delete *", "kubectl ?ete ns prod"),
            ("kubectl delete *", "kubectl de?te ns prod"),
            ("kubectl delete *", "kubectl d?l?te ns prod"),
            ("kubectl delete *", "kubectl ?delete? ns"),
            ("kubectl delete*", "kubectl ? ns prod"),
            ("kubectl delete ns prod", "kubectl ?"),
            ("kubectl delete ns prod", "kubectl delete ? prod"),
            ("kubectl delete", "kubectl ?"),
            ("kubectl -* delete *", "kubectl -n x ? ns"),
            ("aws* iam create-access-key*", "aws --region x iam ?"),
            ("rm -rf *", "rm ? /"),
        ] {
            assert!(may(pattern, value), "{pattern} {value}");
        }
    }

    #[test]
    fn arguments_may_be_computed_freely() {
        for (pattern, value) in [
            ("kubectl delete *", "kubectl get ?"),
            ("kubectl delete *", "kubectl get ? delete x"),
            ("kubectl delete *", "kubectl delete ?"),
            ("pytest *.env*", "pytest ?"),
            ("pytest *--basetemp*", "pytest ? tests"),
            ("git * core.hooksPath=*", "git commit -m ?"),
            ("git commit *--no-verify*", "git commit -m ?"),
            ("* /etc/*", "ls ?"),
            ("*=/etc/*", "ls ?"),
            ("rm -rf ~", "ls ?"),
            ("terraform apply *", "terraform plan ?"),
            ("kubectl delete", "kubectl ? ns"),
        ] {
            assert!(!may(pattern, value), "{pattern} {value}");
        }
    }

    #[test]
    fn the_far_end_of_a_value_is_unknown() {
        let long = "x".repeat(CLOSE_LOOK);
        assert!(may("kubectl delete *", &format!("kubectl ? {long}")));
        assert!(may("kubectl -* delete *", &format!("kubectl -n {long} ? ns")));
        assert!(!may("kubectl -* delete *", &format!("kubectl -n {long} get ns")));
        assert!(!may("kubectl delete *", &format!("kubectl get {long} ?")));
        assert!(!may("pytest *.env*", &format!("pytest {long} ?")));
    }
}
