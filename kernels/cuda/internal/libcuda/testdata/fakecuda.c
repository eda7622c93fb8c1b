// A libcuda for tests: device memory is the host's, at addresses that are off by BIAS so
// that confusing the two shows; kernels note what they are launched with. It fails where
// fake_fail says so, and -D flags leave things out:
//
//	NO_DEVICE      the driver shows no device
//	VERSION=10020  the driver is of that version
//	INIT=803       cuInit fails with that code
//	LACKS          cuLaunchCooperativeKernel is missing
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BIAS 0x100000000000ull
#ifndef VERSION
#define VERSION 12040
#endif
#ifndef INIT
#define INIT 0
#endif

typedef int CUresult;
typedef uint64_t CUdeviceptr;

static char failing[64];
static int failure, delay;
static long pushed, popped, retained, released, launches, cooperative;
static uint64_t launched[16];
static unsigned char kernel_args[64];

// fake_fail has the named function fail with a code, after so many calls that do not.
void fake_fail(const char *name, int code, int after) {
	strncpy(failing, name, sizeof failing - 1);
	failure = code;
	delay = after;
}

// fake_count gives what has been counted.
long fake_count(int what) {
	long all[] = {pushed, popped, retained, released, launches, cooperative};
	return all[what];
}
uint64_t fake_launched(int i) { return launched[i]; }
int fake_arg(int i) { return kernel_args[i]; }

static CUresult outcome(const char *name) {
	if (strcmp(name, failing) != 0 || delay-- > 0) return 0;
	return failure;
}
#define TRY(name)                                  \
	do {                                           \
		CUresult code = outcome(name);             \
		if (code) return code;                     \
	} while (0)

CUresult cuInit(unsigned flags) { (void)flags; return INIT; }
CUresult cuDriverGetVersion(int *v) { *v = VERSION; return 0; }
CUresult cuGetErrorName(CUresult code, const char **name) {
	*name = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_FAKE";
	return 0;
}
CUresult cuGetErrorString(CUresult code, const char **text) {
	if (code == 12345) return 1;
	*text = "the fake says so";
	return 0;
}
CUresult cuDeviceGetCount(int *n) {
	TRY("cuDeviceGetCount");
#ifdef NO_DEVICE
	*n = 0;
#else
	*n = 2;
#endif
	return 0;
}
CUresult cuDeviceGet(int *device, int i) { TRY("cuDeviceGet"); *device = 70 + i; return 0; }
CUresult cuDeviceGetName(char *name, int n, int device) {
	TRY("cuDeviceGetName");
	strncpy(name, device == 70 ? "Fake 0" : "Fake 1", n);
	return 0;
}
CUresult cuDeviceTotalMem_v2(size_t *n, int device) { (void)device; TRY("cuDeviceTotalMem_v2"); *n = 5ull << 32; return 0; }
CUresult cuDeviceGetAttribute(int *v, int attribute, int device) {
	(void)device;
	TRY("cuDeviceGetAttribute");
	*v = attribute;
	return 0;
}
CUresult cuDevicePrimaryCtxRetain(void **c, int device) {
	TRY("cuDevicePrimaryCtxRetain");
	retained++;
	*c = (void *)(uintptr_t)(0x1000 + device);
	return 0;
}
CUresult cuDevicePrimaryCtxRelease_v2(int device) { (void)device; TRY("cuDevicePrimaryCtxRelease_v2"); released++; return 0; }
static void *current;
void fake_current(void *c) { current = c; }
CUresult cuCtxGetCurrent(void **c) { TRY("cuCtxGetCurrent"); *c = current; return 0; }
CUresult cuCtxGetDevice(int *device) { TRY("cuCtxGetDevice"); *device = 71; return 0; }
CUresult cuCtxPushCurrent_v2(void *c) { (void)c; TRY("cuCtxPushCurrent_v2"); __atomic_add_fetch(&pushed, 1, __ATOMIC_SEQ_CST); return 0; }
CUresult cuCtxPopCurrent_v2(void **c) { *c = 0; TRY("cuCtxPopCurrent_v2"); __atomic_add_fetch(&popped, 1, __ATOMIC_SEQ_CST); return 0; }
CUresult cuModuleLoadDataEx(void **m, const char *image, unsigned n, const int *options, void **values) {
	CUresult code = outcome("cuModuleLoadDataEx");
	if (code) {
		if (n == 2 && options[0] == 5) strncpy(values[0], "ptxas fatal: line 7", (size_t)(uintptr_t)values[1]);
		return code;
	}
	*m = (void *)(uintptr_t)(strlen(image) + 0x2000);
	return 0;
}
CUresult cuModuleUnload(void *m) { (void)m; TRY("cuModuleUnload"); return 0; }
CUresult cuModuleGetFunction(void **f, void *m, const char *name) {
	(void)m;
	TRY("cuModuleGetFunction");
	if (strcmp(name, "run") != 0) return 500;
	*f = (void *)0x3000;
	return 0;
}
static int granted;
int fake_granted(void) { return granted; }
CUresult cuFuncSetAttribute(void *f, int attribute, int v) { (void)f; TRY("cuFuncSetAttribute"); if (attribute == 8) granted = v; return 0; }
CUresult cuMemAlloc_v2(CUdeviceptr *p, size_t n) { TRY("cuMemAlloc_v2"); *p = (uintptr_t)malloc(n) + BIAS; return 0; }
CUresult cuMemFree_v2(CUdeviceptr p) { TRY("cuMemFree_v2"); free((void *)(uintptr_t)(p - BIAS)); return 0; }
CUresult cuMemHostAlloc(void **p, size_t n, unsigned flags) { (void)flags; TRY("cuMemHostAlloc"); *p = malloc(n); return 0; }
CUresult cuMemFreeHost(void *p) { TRY("cuMemFreeHost"); free(p); return 0; }
static void *at(CUdeviceptr p) { return (void *)(uintptr_t)(p - BIAS); }
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void *s, size_t n, void *q) { (void)q; TRY("cuMemcpyHtoDAsync_v2"); memcpy(at(d), s, n); return 0; }
CUresult cuMemcpyDtoHAsync_v2(void *d, CUdeviceptr s, size_t n, void *q) { (void)q; TRY("cuMemcpyDtoHAsync_v2"); memcpy(d, at(s), n); return 0; }
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, void *q) { (void)q; TRY("cuMemcpyDtoDAsync_v2"); memcpy(at(d), at(s), n); return 0; }
CUresult cuMemsetD8Async(CUdeviceptr d, unsigned char v, size_t n, void *q) { (void)q; TRY("cuMemsetD8Async"); memset(at(d), v, n); return 0; }

static CUresult launch(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *q, void **params) {
	uint64_t all[] = {(uintptr_t)f, gx, gy, gz, bx, by, bz, shared, (uintptr_t)q};
	memcpy(launched, all, sizeof all);
	memcpy(kernel_args, params[0], sizeof kernel_args);
	launches++;
	return 0;
}
CUresult cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *q, void **params, void **extra) {
	TRY("cuLaunchKernel");
	if (extra) return 1;
	return launch(f, gx, gy, gz, bx, by, bz, shared, q, params);
}
#ifndef LACKS
CUresult cuLaunchCooperativeKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *q, void **params) {
	TRY("cuLaunchCooperativeKernel");
	cooperative++;
	return launch(f, gx, gy, gz, bx, by, bz, shared, q, params);
}
#endif
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *n, void *f, int threads, size_t shared) {
	(void)f;
	TRY("cuOccupancyMaxActiveBlocksPerMultiprocessor");
	*n = 2048 / threads - (shared > 0);
	return 0;
}
CUresult cuStreamCreate(void **q, unsigned flags) { (void)flags; TRY("cuStreamCreate"); *q = (void *)0x4000; return 0; }
CUresult cuStreamDestroy_v2(void *q) { (void)q; TRY("cuStreamDestroy_v2"); return 0; }
CUresult cuStreamSynchronize(void *q) { (void)q; TRY("cuStreamSynchronize"); return 0; }
CUresult cuEventCreate(void **e, unsigned flags) { (void)flags; TRY("cuEventCreate"); *e = (void *)0x5000; return 0; }
CUresult cuEventRecord(void *e, void *q) { (void)e; (void)q; TRY("cuEventRecord"); return 0; }
CUresult cuEventSynchronize(void *e) { (void)e; TRY("cuEventSynchronize"); return 0; }
CUresult cuEventElapsedTime(float *ms, void *a, void *b) { (void)a; (void)b; TRY("cuEventElapsedTime"); *ms = 2.5f; return 0; }
CUresult cuEventDestroy_v2(void *e) { (void)e; TRY("cuEventDestroy_v2"); return 0; }
