//! restripe for Java: the native methods of the classes in `ffi/java`.
//!
//! Nothing is computed here, and nothing decided: a method turns what Java gives into what the
//! engine takes ([`memory`], [`handles`]), calls the engine, and turns what goes wrong into an
//! exception ([`failure`]). The methods are private in their Java classes, which say what they are
//! for and check what is cheaper to check there; what memory safety rests on is checked here.

mod arguments;
#[cfg(feature = "bench")]
mod bench;
mod checksum;
mod code;
mod failure;
mod handles;
mod memory;
mod packets;
mod plan;
mod raw;
mod rounds;
mod system;
