//! Plain loops by the widest vectors of this machine.

use pulp::{Arch, NullaryFnOnce};

/// Does `work` as code for the widest vectors there are. `work` and what it calls are to be `#[inline(always)]`: what is not inlined
/// stays as it is for any machine.
///
/// `Arch::dispatch` alone would not do: a closure that may be called many times reaches it by a function that the compiler puts in
/// between, and this one is for any machine.
#[inline]
pub(crate) fn vectorised<R>(work: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Work(work))
}

struct Work<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Work<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}
