//! The checkout against real repositories and real servers. One binary, so that it is linked once.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod source;
#[cfg(test)]
mod specs;
#[cfg(test)]
mod ssh;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod worktree;
