/* What the drop-in for ISA-L has, by ISA-L's names: see ffi/isal. */
#ifndef RESTRIPE_ISAL_H
#define RESTRIPE_ISAL_H

#include "isa-l/crc.h"
#include "isa-l/crc64.h"
#include "isa-l/erasure_code.h"
#include "isa-l/gf_vect_mul.h"
#include "isa-l/raid.h"

#endif
