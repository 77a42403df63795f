/*
 * CRCs of 16 and 32 bits, by the names of ISA-L. The result of a run of bytes is what the next one
 * begins with.
 */
#ifndef RESTRIPE_ISAL_CRC_H
#define RESTRIPE_ISAL_CRC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-16/T10-DIF, with no inversion; and with a copy of the bytes. */
uint16_t crc16_t10dif(uint16_t init_crc, const unsigned char *buf, uint64_t len);
uint16_t crc16_t10dif_base(uint16_t seed, uint8_t *buf, uint64_t len);
uint16_t crc16_t10dif_copy(uint16_t init_crc, uint8_t *dst, uint8_t *src, uint64_t len);
uint16_t crc16_t10dif_copy_base(uint16_t init_crc, uint8_t *dst, uint8_t *src, uint64_t len);

/* CRC-32/BZIP2: polynomial 0x04C11DB7, bits from the highest on, inverted before and after. */
uint32_t crc32_ieee(uint32_t init_crc, const unsigned char *buf, uint64_t len);
uint32_t crc32_ieee_base(uint32_t seed, uint8_t *buf, uint64_t len);

/* CRC-32 as gzip and zlib have it: the same, bits from the lowest on. */
uint32_t crc32_gzip_refl(uint32_t init_crc, const unsigned char *buf, uint64_t len);
uint32_t crc32_gzip_refl_base(uint32_t seed, uint8_t *buf, uint64_t len);

/* CRC-32C (iSCSI), with no inversion: give ~0 and invert the result. */
unsigned int crc32_iscsi(unsigned char *buffer, int len, unsigned int init_crc);
unsigned int crc32_iscsi_base(unsigned char *buffer, int len, unsigned int init_crc);

#ifdef __cplusplus
}
#endif

#endif
