//! How a password becomes what is stored: HMAC-SHA256 under the pepper, then argon2id, as text in the PHC form.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// A password under the pepper: all that the slow work needs to know of it.
pub(crate) type Peppered = Zeroizing<[u8; 32]>;

/// Cost of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// Memory in KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
}

impl Recipe {
    /// What new hashes cost: 19 MiB, two passes, one lane.
    pub(crate) const NOW: Recipe = Recipe { memory: 19 * 1024, passes: 2, lanes: 1 };

    /// Bounds for a stored recipe: more than these would let whoever edits a row stop the server.
    const MOST: Recipe = Recipe { memory: 64 * 1024, passes: 8, lanes: 1 };

    fn params(self) -> Option<Params> {
        let within =
            self.memory <= Self::MOST.memory && self.passes <= Self::MOST.passes && self.lanes <= Self::MOST.lanes;
        within.then(|| Params::new(self.memory, self.passes, self.lanes, Some(32)).ok()).flatten()
    }
}

/// A stored hash: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PasswordHash {
    pub(crate) recipe: Recipe,
    pub(crate) salt: [u8; 16],
    pub(crate) output: [u8; 32],
}

impl PasswordHash {
    /// Reads what `Display` wrote; `None` for anything else and for a recipe out of bounds.
    pub(crate) fn parse(text: &str) -> Option<PasswordHash> {
        let rest = text.strip_prefix("$argon2id$v=19$m=")?;
        let (memory, rest) = rest.split_once(",t=")?;
        let (passes, rest) = rest.split_once(",p=")?;
        let (lanes, rest) = rest.split_once('$')?;
        let (salt, output) = rest.split_once('$')?;
        let recipe = Recipe { memory: number(memory)?, passes: number(passes)?, lanes: number(lanes)? };
        recipe.params()?;
        Some(PasswordHash { recipe, salt: base64(salt)?, output: base64(output)? })
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { memory, passes, lanes } = self.recipe;
        let (salt, output) = (STANDARD_NO_PAD.encode(self.salt), STANDARD_NO_PAD.encode(self.output));
        write!(out, "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${output}")
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

fn base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The slow work: argon2id version 1.3. Takes the recipe's memory while it runs.
pub(crate) fn derive(peppered: &Peppered, recipe: Recipe, salt: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    let params = recipe.params().expect("recipes are within bounds");
    let mut memory = vec![Block::default(); params.block_count()];
    let mut output = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(&peppered[..], salt, &mut output[..], &mut memory)
        .expect("salt and output have lengths that argon2 takes");
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_hash_is_read_back_and_nothing_else_is() {
        let hash = PasswordHash { recipe: Recipe::NOW, salt: [7; 16], output: [9; 32] };
        let text = hash.to_string();
        assert_eq!(PasswordHash::parse(&text), Some(hash));
        let table = [
            ("another algorithm", text.replace("argon2id", "argon2i")),
            ("another version", text.replace("v=19", "v=16")),
            ("too much memory", text.replace("m=19456", "m=4194304")),
            ("too little memory", text.replace("m=19456", "m=1")),
            ("too many passes", text.replace("t=2", "t=9")),
            ("no pass", text.replace("t=2", "t=0")),
            ("lanes", text.replace("p=1", "p=2")),
            ("sign", text.replace("t=2", "t=+2")),
            ("short output", text.chars().take(text.len() - 4).collect()),
            ("long output", format!("{text}AAAA")),
            ("more after it", format!("{text}$")),
            ("nothing", String::new()),
        ];
        for (name, changed) in table {
            assert_eq!(PasswordHash::parse(&changed), None, "{name}");
        }
    }

    #[test]
    fn pepper_password_and_salt_all_matter() {
        let recipe = Recipe { memory: 32, passes: 1, lanes: 1 };
        let one = derive(&Zeroizing::new([1; 32]), recipe, &[1; 16]);
        assert_eq!(one, derive(&Zeroizing::new([1; 32]), recipe, &[1; 16]));
        assert_ne!(one, derive(&Zeroizing::new([2; 32]), recipe, &[1; 16]));
        assert_ne!(one, derive(&Zeroizing::new([1; 32]), recipe, &[2; 16]));
    }
}
