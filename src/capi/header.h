/*
 * restripe: erasure coding at the speed of the machine, in the bytes that storage already has.
 *
 * For C99 and later, and for C++. This file is made of src/capi/ by `cargo xtask header`.
 *
 * What holds for all functions:
 *
 * - Lengths, offsets and capacities are bytes. Units are counted from 0, data units first. A shard
 *   is one unit's buffer; it may have any alignment, and any length, 0 too.
 * - A function that returns int returns RESTRIPE_OK or one of RESTRIPE_ERROR_...; what it computes
 *   goes to where its last arguments point, which is left alone where it fails, unless the
 *   function says otherwise. restripe_error_detail() then tells what was wrong, with the numbers.
 * - Pointers, lengths, counts and units are checked: NULL, numbers that no buffer can have, units
 *   that the code lacks, and outputs that overlap an input or each other are errors. What cannot be
 *   checked is the caller's promise: that a pointer which is not NULL points to as much memory as
 *   the call says, and that nobody else writes there during the call (or reads there, where the
 *   function writes).
 * - A list of no entries may be NULL, and so may a buffer of no bytes.
 * - Nothing that is passed is kept, and nothing is freed but by the function that has _free in
 *   its name. What a function gives back is the caller's if it is a handle, and else as said.
 * - All functions may be called by any number of threads at the same time, with the same handles,
 *   too. Only a handle that is being freed must not be in use.
 * - No function ends the process or throws. (Where memory runs out the process ends, as it does
 *   with all that is written in Rust.)
 *
 * RESTRIPE_KERNEL in the environment names the kernel to run on (restripe_kernel_name lists them);
 * a name that this CPU does not have is an error of the first call that needs one.
 */
