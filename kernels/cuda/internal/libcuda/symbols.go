package libcuda

// symbol is a function of the driver.
type symbol int

const (
	cuInit symbol = iota
	cuDriverGetVersion
	cuGetErrorName
	cuGetErrorString
	cuDeviceGetCount
	cuDeviceGet
	cuDeviceGetName
	cuDeviceTotalMem
	cuDeviceGetAttribute
	cuDevicePrimaryCtxRetain
	cuDevicePrimaryCtxRelease
	cuCtxGetCurrent
	cuCtxGetDevice
	cuCtxPushCurrent
	cuCtxPopCurrent
	cuModuleLoadDataEx
	cuModuleUnload
	cuModuleGetFunction
	cuFuncSetAttribute
	cuMemAlloc
	cuMemFree
	cuMemHostAlloc
	cuMemFreeHost
	cuMemcpyHtoDAsync
	cuMemcpyDtoHAsync
	cuMemcpyDtoDAsync
	cuMemsetD8Async
	cuLaunchKernel
	cuLaunchCooperativeKernel
	cuOccupancyMaxActiveBlocksPerMultiprocessor
	cuStreamCreate
	cuStreamDestroy
	cuStreamSynchronize
	cuEventCreate
	cuEventRecord
	cuEventSynchronize
	cuEventElapsedTime
	cuEventDestroy
	symbols // how many there are
)

// names are those of the library. The header of CUDA maps a function's name to
// its latest form, whose suffix the library shows: without it, the function is
// one of the days of 32 bits.
var names = [symbols]string{
	cuInit:                    "cuInit",
	cuDriverGetVersion:        "cuDriverGetVersion",
	cuGetErrorName:            "cuGetErrorName",
	cuGetErrorString:          "cuGetErrorString",
	cuDeviceGetCount:          "cuDeviceGetCount",
	cuDeviceGet:               "cuDeviceGet",
	cuDeviceGetName:           "cuDeviceGetName",
	cuDeviceTotalMem:          "cuDeviceTotalMem_v2",
	cuDeviceGetAttribute:      "cuDeviceGetAttribute",
	cuDevicePrimaryCtxRetain:  "cuDevicePrimaryCtxRetain",
	cuDevicePrimaryCtxRelease: "cuDevicePrimaryCtxRelease_v2",
	cuCtxGetCurrent:           "cuCtxGetCurrent",
	cuCtxGetDevice:            "cuCtxGetDevice",
	cuCtxPushCurrent:          "cuCtxPushCurrent_v2",
	cuCtxPopCurrent:           "cuCtxPopCurrent_v2",
	cuModuleLoadDataEx:        "cuModuleLoadDataEx",
	cuModuleUnload:            "cuModuleUnload",
	cuModuleGetFunction:       "cuModuleGetFunction",
	cuFuncSetAttribute:        "cuFuncSetAttribute",
	cuMemAlloc:                "cuMemAlloc_v2",
	cuMemFree:                 "cuMemFree_v2",
	cuMemHostAlloc:            "cuMemHostAlloc",
	cuMemFreeHost:             "cuMemFreeHost",
	cuMemcpyHtoDAsync:         "cuMemcpyHtoDAsync_v2",
	cuMemcpyDtoHAsync:         "cuMemcpyDtoHAsync_v2",
	cuMemcpyDtoDAsync:         "cuMemcpyDtoDAsync_v2",
	cuMemsetD8Async:           "cuMemsetD8Async",
	cuLaunchKernel:            "cuLaunchKernel",
	cuLaunchCooperativeKernel: "cuLaunchCooperativeKernel",
	cuOccupancyMaxActiveBlocksPerMultiprocessor: "cuOccupancyMaxActiveBlocksPerMultiprocessor",
	cuStreamCreate:      "cuStreamCreate",
	cuStreamDestroy:     "cuStreamDestroy_v2",
	cuStreamSynchronize: "cuStreamSynchronize",
	cuEventCreate:       "cuEventCreate",
	cuEventRecord:       "cuEventRecord",
	cuEventSynchronize:  "cuEventSynchronize",
	cuEventElapsedTime:  "cuEventElapsedTime",
	cuEventDestroy:      "cuEventDestroy_v2",
}
