//! A source or sink of the core that several parts of one object use, all on JavaScript's thread.

use std::cell::RefCell;
use std::rc::Rc;

/// Borrowed for the length of one call, never while JavaScript may run.
pub(crate) type Shared<T> = Rc<RefCell<T>>;

/// To be shared from now on.
pub(crate) fn share<T>(value: T) -> Shared<T> {
    Rc::new(RefCell::new(value))
}
