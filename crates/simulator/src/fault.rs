//! The faults there are, and how often a seed has each. Invariant: a fault is drawn from the seed's own chance, is
//! counted, and is never injected once the calm has begun.

use crate::chance::Chance;

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $name:ident $words:literal),* $(,)?) => {
        /// What may go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $($(#[doc = $doc])* $name),*
        }

        impl Fault {
            /// Every kind, in one order.
            pub const ALL: &'static [Fault] = &[$(Fault::$name),*];

            /// What people call it.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Fault::$name => $words),* }
            }
        }
    };
}

faults! {
    /// Whoever was about to call a port is gone before the call.
    CrashBefore "crash before a call",
    /// Whoever called a port is gone before it heard the answer.
    CrashAfter "crash after a call",
    /// The store does nothing and says so.
    StoreUnavailable "store unavailable",
    /// The store commits, and the answer is lost.
    StoreAnswerLost "commit's answer lost",
    /// The store gives no answer, and commits later, after others.
    StoreLate "commit comes late",
    /// A call of the store arrives twice, the second time after others.
    StoreDoubled "store's call doubled",
    /// A read of several rows comes back with some of them only.
    ReadShort "read cut short",
    /// Whoever makes a commit of many slices is gone in the middle.
    JournalCut "journal cut",
    /// The store's process is killed over a commit, and all controllers with it.
    StoreKilled "store killed",
    /// A row cannot be read any more.
    RowPoisoned "row poisoned",
    /// The logs cannot be reached.
    LogsUnavailable "logs unavailable",
    /// The logs do what they were told, and the answer is lost.
    LogsAnswerLost "logs' answer lost",
    /// A ring is lost.
    BellLost "bell lost",
    /// A ring is heard twice.
    BellDoubled "bell doubled",
    /// A ring is heard after later ones.
    BellReordered "bell reordered",
    /// Nobody is told of a push.
    DeliveryLost "delivery lost",
    /// A push is told of twice.
    DeliveryDoubled "delivery doubled",
    /// A push is told of late.
    DeliveryLate "delivery late",
    /// The wall clock jumps on.
    ClockForward "clock forward",
    /// The wall clock jumps back.
    ClockBack "clock back",
    /// Git cannot be reached.
    GitUnavailable "git unavailable",
    /// Git refuses: a rate limit, a wrong token.
    GitRefused "git refused",
    /// Git answers with what was true a while ago.
    GitSlow "git slow",
    /// The server that is asked has not got a commit yet of which another told.
    GitLags "commit not there yet",
    /// A worker cannot be told to stop.
    LauncherAway "launcher away",
    /// A worker was told to stop, and the answer is lost.
    LauncherAnswerLost "launcher's answer lost",
    /// A worker's word does not arrive.
    WordLost "word lost",
    /// A worker's word arrives, and the answer does not.
    WordAnswerLost "word's answer lost",
    /// A worker's word arrives twice.
    WordDoubled "word doubled",
    /// A worker's word arrives after later ones, and it heard no answer.
    WordLate "word late",
    /// A worker's process dies, and is started again.
    WorkerRestarted "worker restarted",
    /// A worker stops for ever.
    WorkerDead "worker dead",
    /// A worker stands still for longer than any lease, and goes on.
    WorkerZombie "worker zombie",
    /// No word of any worker arrives for about as long as a lease.
    WorkersCutOff "workers cut off",
    /// No controller runs for a while.
    ControllersAway "controllers away",
    /// Several ticks begin at once.
    TicksAtOnce "ticks at once",
}

/// How often each kind happens, in a million chances that it has.
#[derive(Clone, Debug)]
pub(crate) struct Rates([u32; Fault::ALL.len()]);

impl Rates {
    /// A seed's: each kind is rare, usual, or does not happen at all, so that seeds differ in what they are about.
    pub(crate) fn of(chance: &mut Chance) -> Self {
        let mut rates = [0; Fault::ALL.len()];
        for (rate, fault) in rates.iter_mut().zip(Fault::ALL) {
            *rate = usual(*fault) * [0, 1, 1, 3].get(chance.index(4)).copied().unwrap_or(1);
        }
        Self(rates)
    }

    /// Has this kind happen, whatever the seed says.
    pub(crate) fn always(&mut self, fault: Fault) {
        for (rate, one) in self.0.iter_mut().zip(Fault::ALL) {
            if *one == fault {
                *rate = usual(fault);
            }
        }
    }

    /// How often, in a million.
    pub(crate) fn get(&self, fault: Fault) -> u32 {
        Fault::ALL.iter().position(|one| *one == fault).and_then(|at| self.0.get(at)).copied().unwrap_or(0)
    }
}

/// In a million chances. Those that are drawn at each call are rarer than those that are drawn at each push.
fn usual(fault: Fault) -> u32 {
    match fault {
        Fault::CrashBefore | Fault::CrashAfter => 12_000,
        Fault::StoreUnavailable | Fault::StoreAnswerLost | Fault::StoreLate => 20_000,
        Fault::StoreDoubled | Fault::ReadShort => 20_000,
        Fault::StoreKilled => 25_000,
        // Counted where a death meets a journal.
        Fault::JournalCut => 0,
        Fault::RowPoisoned => 20_000,
        Fault::LogsUnavailable | Fault::LogsAnswerLost => 15_000,
        Fault::BellLost | Fault::BellDoubled | Fault::BellReordered => 60_000,
        Fault::DeliveryLost | Fault::DeliveryDoubled | Fault::DeliveryLate => 150_000,
        Fault::ClockForward | Fault::ClockBack => 8_000,
        Fault::GitUnavailable | Fault::GitRefused | Fault::GitSlow => 60_000,
        Fault::GitLags => 100_000,
        Fault::LauncherAway | Fault::LauncherAnswerLost => 200_000,
        Fault::WordLost | Fault::WordAnswerLost | Fault::WordDoubled | Fault::WordLate => 25_000,
        Fault::WorkerRestarted => 4_000,
        Fault::WorkerDead => 4_000,
        Fault::WorkerZombie => 30_000,
        Fault::WorkersCutOff => 10_000,
        Fault::ControllersAway => 15_000,
        Fault::TicksAtOnce => 100_000,
    }
}
