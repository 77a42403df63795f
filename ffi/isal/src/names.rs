//! Several names for one function.

/// Exports a function by each of the names: `same!(names = function, [(arguments) -> result])`.
macro_rules! same {
    ($($name:ident)* = $target:path, $signature:tt) => {
        $(crate::names::same!(@one $name $target, $signature);)*
    };
    (@one $name:ident $target:path,
        [($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?]) => {
        /// The same by another name: see its header.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: the caller's own promise.
            unsafe { $target($($argument),*) }
        }
    };
}

pub(crate) use same;
