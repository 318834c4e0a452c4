// SPDX-FileCopyrightText: 2026 EFM3 contributors
// SPDX-License-Identifier: Apache-2.0
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

// Changes bytes without regard to what they mean, as LLVMFuzzerMutate does; gives the new size.
typedef size_t (*FuzzBytes)(uint8_t *data, size_t size, size_t max);

// One mutation of a file in data[0..size), room for `max`; gives the new size. Most results are
// sound up to one mistake: json_len, n_tensors, sizes and the length are repaired to fit the header.
size_t fuzz_mutate(uint8_t *data, size_t size, size_t max, uint64_t seed, FuzzBytes bytes);

// A simple FuzzBytes for drivers without libFuzzer.
size_t fuzz_bytes(uint8_t *data, size_t size, size_t max);

#endif
