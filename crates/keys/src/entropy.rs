use aws_lc_rs::rand;
use flows::ports::Entropy;

/// The operating system's chance.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    /// Panics when the operating system has no chance to give: no key, nonce or order number may be made then.
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes).expect("the operating system gives no random bytes");
    }
}

/// `N` unguessable bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemEntropy.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random::<16>(), random::<16>());
    }
}
