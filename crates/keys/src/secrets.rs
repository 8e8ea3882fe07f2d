use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use flows::ports::{Field, Pii, SealBroken, Secrets, Waiting};
use ledger::Id;
use zeroize::Zeroizing;

use crate::Keyring;
use crate::entropy::random;
use crate::passwords::{PasswordHash, Peppered, Recipe, derive};
use crate::sealing::Sealing;
use crate::workers::Workers;

/// Threads that hash passwords. Two leave the other processors to the book.
const THREADS: usize = 2;
/// Hashes that may wait in the queue; further callers wait outside it until there is room.
const ROOM: usize = 64;

/// Passwords and sealed personal data under the keys of a keyring.
pub struct SoftSecrets {
    pepper: hmac::Key,
    sealing: Sealing,
    workers: Workers,
    derivations: Arc<AtomicU64>,
}

impl SoftSecrets {
    /// Starts the threads that hash. Errors: the operating system gives no thread.
    pub fn new(keyring: &Keyring) -> io::Result<SoftSecrets> {
        Ok(SoftSecrets {
            pepper: hmac::Key::new(hmac::HMAC_SHA256, keyring.pepper.expose()),
            sealing: Sealing::new(keyring),
            workers: Workers::start("passwords", THREADS, ROOM)?,
            derivations: Arc::default(),
        })
    }

    /// How many times argon2 ran since the start; an attack on passwords shows here.
    pub fn derivations(&self) -> u64 {
        self.derivations.load(Ordering::Relaxed)
    }

    fn pepper(&self, password: &str) -> Peppered {
        let tag = hmac::sign(&self.pepper, password.as_bytes());
        Zeroizing::new(tag.as_ref().try_into().expect("HMAC-SHA256 gives 32 bytes"))
    }

    async fn derive(&self, peppered: Peppered, recipe: Recipe, salt: [u8; 16]) -> Option<Zeroizing<[u8; 32]>> {
        let derivations = Arc::clone(&self.derivations);
        let work = move || {
            derivations.fetch_add(1, Ordering::Relaxed);
            derive(&peppered, recipe, &salt)
        };
        self.workers.run(work).await
    }
}

impl fmt::Debug for SoftSecrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SoftSecrets(***)")
    }
}

impl Secrets for SoftSecrets {
    /// `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. Every call gives another salt.
    fn hash_password<'a>(&'a self, password: &'a str) -> Waiting<'a, String> {
        let (peppered, salt) = (self.pepper(password), random());
        Box::pin(async move {
            let output = self.derive(peppered.clone(), Recipe::NOW, salt).await;
            // A thread that failed must not cost anybody a password: do the work here.
            let output = output.unwrap_or_else(|| derive(&peppered, Recipe::NOW, &salt));
            PasswordHash { recipe: Recipe::NOW, salt, output: *output }.to_string()
        })
    }

    /// A stored text that is no hash of ours counts as no hash.
    fn check_password<'a>(&'a self, password: &'a str, hash: Option<&'a str>) -> Waiting<'a, bool> {
        let peppered = self.pepper(password);
        let stored = hash.and_then(PasswordHash::parse);
        let (recipe, salt) = stored.as_ref().map_or((Recipe::NOW, [0; 16]), |stored| (stored.recipe, stored.salt));
        Box::pin(async move {
            let output = self.derive(peppered, recipe, salt).await;
            let expected = stored.as_ref().map_or([0; 32], |stored| stored.output);
            let same = output.is_some_and(|output| verify_slices_are_equal(&output[..], &expected).is_ok());
            same && stored.is_some()
        })
    }

    fn seal(&self, field: Field, owner: Id, plain: &str) -> Vec<u8> {
        self.sealing.seal(field, owner, plain)
    }

    fn open(&self, field: Field, owner: Id, sealed: &[u8]) -> Result<Pii<String>, SealBroken> {
        self.sealing.open(field, owner, sealed)
    }

    fn lookup(&self, field: Field, plain: &str) -> [u8; 32] {
        self.sealing.lookup(field, plain)
    }

    fn token_hash(&self, token: &[u8; 32]) -> [u8; 32] {
        let hash = digest::digest(&digest::SHA256, token);
        hash.as_ref().try_into().expect("SHA-256 gives 32 bytes")
    }
}
