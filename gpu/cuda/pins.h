/* pins.h: memory of the host that the cards reach, pinned once for all devices of this process. */
#ifndef GPU_CUDA_PINS_H
#define GPU_CUDA_PINS_H

#include <cuda_runtime_api.h>
#include <stddef.h>

/*
 * Pins the pages in which these bytes lie, which must stay mapped until unpin_memory. Several threads may ask for the
 * same memory, one worker each: CUDA takes it once, and here they are counted. `size` is not 0. cudaSuccess, or why
 * not; the error is one that CUDA still remembers (cudaGetLastError).
 */
cudaError_t pin_memory(void *memory, size_t size);
void unpin_memory(void *memory);

#endif
