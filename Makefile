# Makefile: the one entry to Atelier. The lines that begin with "##" are what `make help` prints.

VERSION := 0.1.0

# What is built ---------------------------------------------------------------------------------------------------

# Each lab's programs in the order in which they are taught; a program that is not named here comes after those.
LAB1 := active_count enumerate current_thread ten_threads thread_parameters
LAB2 := without_join with_join join_timeout
LAB3 := without_lock with_lock
LAB4 := process plain_variable process_lock
LAB5 := queue join_before_drain
LAB6 := pool_map
LAB7 := pool_apply
LAB8 := pool_apply_async worker_dies
LAB9 := comparison
LAB10 := run_ls capture_output input redirect shell_and_cwd_and_env timeout check text
LAB11 := poll wait communicate signals pipeline
LAB12 := command_as_written command_mended

# The programs of bench/. Its other sources are linked into each of them, as those of tests/ are into each suite, test_*.c.
BENCHES := compare scaling sizes tutorial primitives queues pools subprocess footprint serving devices cuda

# The programs of gpu/, lab 13. Its other sources are linked into each of them, and into the suites test_serving_*.c.
GPU_PROGRAM_NAMES := serve load train lab13 calibrate

# What these are measured against and is not in the system: built where it can be, and else its column stays empty. OpenMP comes
# with gcc, and not always with another compiler.
# ThreadSanitizer knows neither C11's threads nor OpenMP's.
PEERS := $(if $(filter thread,$(SAN)),,c11_mode $(if $(shell command -v gcc),openmp_mode)) $(if $(shell command -v gcc),openmp) \
         $(if $(wildcard /usr/include/boost/interprocess/ipc/message_queue.hpp),$(if $(shell command -v $(CXX)),boost_queue.so)) \
         $(shell pkg-config --exists libuv 2>/dev/null && echo libuv libuv_mode) $(shell pkg-config --exists gio-2.0 2>/dev/null && echo glib)
# The programs that bench/subprocess.c starts.
CHILDREN := noop stamp pour

# The calls that tests/test_faults.c makes fail: the linker sends each one to the suite's own __wrap_NAME.
WRAP := fork malloc mmap pidfd_open ppoll pthread_attr_init pthread_create recvmsg sendmsg socketpair waitid waitpid
# The same for tests/test_pool_limits.c.
WRAP_POOL := calloc eventfd fork malloc mmap pidfd_open pthread_create realloc recvmsg sendmsg socketpair strdup
# The same for tests/test_subprocess_limits.c, and those that it shortens or answers itself.
WRAP_SUBPROCESS := clock_gettime fcntl ioctl malloc open pipe2 ppoll pthread_create read realloc sigtimedwait waitid write
# The same for tests/test_process_gate.c: at these calls something happens.
WRAP_GATE := fork pidfd_open

# The calls that tests/scheduler.c and tests/schedule_processes.c answer where threads run by a schedule.
SCHEDULED_CALLS := at_lock_release at_process_exitcode at_process_join at_process_kill at_process_pid at_process_sentinel \
                   at_process_start check_fork_policy clock_gettime count_other_threads eventfd_write futex_wait futex_wake \
                   pause pool_block_give pool_block_take ppoll pthread_create pthread_join sched_getcpu zygote_ensure \
                   zygote_free zygote_new

# How it is built -------------------------------------------------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
OBJCOPY ?= objcopy

SANITIZE_thread  := -fsanitize=thread
SANITIZE_address := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ifneq ($(SAN),)
ifeq ($(SANITIZE_$(SAN)),)
$(error SAN=$(SAN) is unknown; leave it out, or say SAN=thread or SAN=address)
endif
endif

# One folder for each compiler and sanitizer: build, build/thread, build/clang, build/clang/thread...
compiler := $(lastword $(notdir $(CC)))
BUILD := build$(addprefix /,$(filter-out gcc,$(compiler)))$(addprefix /,$(SAN))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion $(if $(filter 1,$(WERROR)),-Werror)
COMPILE  := -std=gnu17 -O2 -g -pthread $(WARNINGS) -D_GNU_SOURCE -Ilabs/runtime $(SANITIZE_$(SAN)) $(CPPFLAGS) $(CFLAGS)
LINK     := -pthread -Wl,-z,now $(SANITIZE_$(SAN)) $(LDFLAGS)

# Check is asked for by pkg-config; without either of them the tests are off.
CHECK_CFLAGS := $(shell pkg-config --cflags check 2>/dev/null)
CHECK_LIBS   := $(shell pkg-config --libs check 2>/dev/null)
# So is jansson, which reads and writes JSON; without it the benchmarks are off.
JSON_CFLAGS := $(shell pkg-config --cflags jansson 2>/dev/null)
JSON_LIBS   := $(shell pkg-config --libs jansson 2>/dev/null)

# So are the libraries of lab 13: HTTP, matrix products, JSON, compression. Without one of them the lab is off.
SERVING_PACKAGES := libmicrohttpd openblas jansson zlib
SERVING_CFLAGS   := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(SERVING_PACKAGES) 2>/dev/null))
SERVING_LIBS     := $(shell pkg-config --libs $(SERVING_PACKAGES) 2>/dev/null)

# The CUDA toolkit is wherever nvcc is. What is made with it is a library of its own, which only a worker with a card loads;
# without it that library is off, and with it the tests on an emulated card. The card's own code is for Hopper (H100, H200);
# for any other the driver compiles what is made for Turing.
NVCC      ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA_HOME := $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
CUDA_LIB  := $(patsubst %/libcudart.so,%,$(firstword $(wildcard $(CUDA_HOME)/lib64/libcudart.so $(CUDA_HOME)/lib/libcudart.so)))
CUDA_CODE ?= -gencode arch=compute_90,code=sm_90 -gencode arch=compute_75,code=compute_75
cuda_off  := off: the CUDA device, for want of nvcc, the compiler of the CUDA toolkit (docs/dependencies.md)

# Short lines; V=1 shows the commands instead.
quiet := $(if $(filter 1,$(V)),,@)
say = $(if $(quiet),@printf '  %-4s %s\n' $1 $2)

# What runs a sanitized program. The sanitizers of gcc 12 and clang 14 die at start where the kernel places memory at
# more than 28 random bits; where that number cannot be read, take no chance.
LAUNCH := $(if $(SAN),$(shell [ "$$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 32)" -le 28 ] || \
              ! setarch -R true 2>/dev/null || echo setarch -R))
# A child forked while threads run may start threads of its own, as our labs' do.
export TSAN_OPTIONS := die_after_fork=0:atexit_sleep_ms=0:$(TSAN_OPTIONS)

# Sources and what becomes of them --------------------------------------------------------------------------------

LAB_FOLDERS := $(sort $(wildcard labs/[0-9]*-*))

# $(call number,labs/03-lock) is 3; $(call programs,labs/03-lock) is its sources, in order.
number   = $(patsubst 0%,%,$(firstword $(subst -, ,$(notdir $1))))
in_order = $(wildcard $(LAB$(call number,$1):%=$1/%.c))
programs = $(call in_order,$1) $(filter-out $(in_order),$(wildcard $1/*.c))

LIBRARY_SOURCES := $(wildcard labs/runtime/*.c)
LAB_SOURCES     := $(foreach folder,$(LAB_FOLDERS),$(call programs,$(folder)))
BENCH_SOURCES   := $(wildcard bench/*.c bench/workloads/*.c bench/modes/*.c)
# Of these, what only bench/serving, devices and cuda have, which are linked with gpu/.
BENCH_SERVING   := $(wildcard bench/serving_*.c bench/devices_*.c bench/cuda_*.c)
GPU_SOURCES     := $(filter-out gpu/cuda/%,$(wildcard gpu/*.c gpu/*/*.c))
CUDA_SOURCES    := $(filter-out gpu/cuda/ladder%,$(wildcard gpu/cuda/*.c))
LADDER_SOURCES  := $(wildcard gpu/cuda/ladder*.c)
CUDA_KERNELS    := $(filter-out gpu/cuda/ladder%,$(wildcard gpu/cuda/*.cu))
EMULATION       := $(wildcard tests/emulated/*.c tests/emulated/*.cc)
TEST_SOURCES    := $(wildcard tests/*.c)
SOURCES         := $(LIBRARY_SOURCES) $(LAB_SOURCES) $(BENCH_SOURCES) $(GPU_SOURCES) $(CUDA_SOURCES) $(LADDER_SOURCES) $(TEST_SOURCES)

LIBRARY         := $(BUILD)/libatelier.a
SHARED_LIBRARY  := $(BUILD)/libatelier.so
LAB_PROGRAMS    := $(LAB_SOURCES:%.c=$(BUILD)/%)
BENCH_PROGRAMS  := $(if $(JSON_LIBS),$(patsubst %.c,$(BUILD)/%,$(filter-out $(if $(SERVING_LIBS),,%/serving.c %/devices.c %/cuda.c),$(wildcard $(BENCHES:%=bench/%.c)))))
BENCH_PEERS     := $(if $(JSON_LIBS),$(PEERS:%=$(BUILD)/bench/peers/%) $(CHILDREN:%=$(BUILD)/bench/children/%))
BENCH_OBJECTS   := $(filter-out $(BENCHES:%=$(BUILD)/bench/%.o),$(patsubst %.c,$(BUILD)/%.o,$(filter-out $(BENCH_SERVING),$(BENCH_SOURCES))))
GPU_PROGRAMS    := $(if $(SERVING_LIBS),$(patsubst %.c,$(BUILD)/%,$(wildcard $(GPU_PROGRAM_NAMES:%=gpu/%.c))))
GPU_OBJECTS     := $(filter-out $(GPU_PROGRAM_NAMES:%=$(BUILD)/gpu/%.o),$(GPU_SOURCES:%.c=$(BUILD)/%.o))
CUDA_OBJECTS    := $(CUDA_SOURCES:%.c=$(BUILD)/%.o) $(CUDA_KERNELS:%.cu=$(BUILD)/%.cu.o)
CUDA_LIBRARY    := $(if $(CUDA_LIB),$(if $(SERVING_LIBS),$(BUILD)/gpu/cuda.so))
# The program kernels: the same layer in six ways.
LADDER_OBJECTS  := $(LADDER_SOURCES:%.c=$(BUILD)/%.o) $(addprefix $(BUILD)/gpu/cuda/,ladder.cu.o kernels.cu.o checked.o)
LADDER          := $(if $(CUDA_LIB),$(BUILD)/gpu/kernels)
# The libraries that stand in for NVIDIA's in the tests, under the very names that cuda.so asks for.
soname           = $(shell objdump -p $(CUDA_LIB)/$1 2>/dev/null | sed -n 's/^ *SONAME *//p')
EMULATED        := $(addprefix $(BUILD)/tests/emulated/,libnvidia-ml.so.1 $(if $(CUDA_LIBRARY),$(call soname,libcudart.so) \
                       $(call soname,libcublasLt.so) libnccl.so.2))
TEST_OBJECTS    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/test_% tests/schedule% tests/serving%,$(TEST_SOURCES)))
HOOKED_LIBRARY  := $(BUILD)/hooked/libatelier.a
HOOKED_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/test_*_points.c tests/test_*_schedules.c))
SCHEDULED       := $(filter %_schedules,$(HOOKED_PROGRAMS))
SCHEDULER       := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/schedule*.c))
TEST_PROGRAMS   := $(if $(CHECK_LIBS),$(patsubst %.c,$(BUILD)/%,$(filter-out $(if $(JSON_LIBS),,tests/test_bench_%) \
                       $(if $(SERVING_LIBS),,tests/test_serving_%) $(if $(CUDA_LIBRARY),,tests/test_cuda_%),$(wildcard tests/test_*.c))))
BENCH_TESTS     := $(filter $(BUILD)/tests/test_bench_%,$(TEST_PROGRAMS))
SERVING_TESTS   := $(filter $(BUILD)/tests/test_serving_% $(BUILD)/tests/test_cuda_%,$(TEST_PROGRAMS))
CUDA_TESTS      := $(filter $(BUILD)/tests/test_cuda_%,$(TEST_PROGRAMS))
SERVING_HELPERS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/serving*.c))

## make                          builds everything that can be built
.PHONY: all
all: $(LIBRARY) $(SHARED_LIBRARY) $(LAB_PROGRAMS) $(GPU_PROGRAMS) $(CUDA_LIBRARY) $(LADDER) $(BENCH_PROGRAMS) $(BENCH_PEERS) $(TEST_PROGRAMS)
ifeq ($(CHECK_LIBS),)
	@echo 'off: the tests, for want of check and pkg-config (./setup test installs them)'
endif
ifeq ($(JSON_LIBS),)
	@echo 'off: the benchmarks, for want of libjansson-dev and pkg-config (./setup bench installs them)'
endif
ifeq ($(SERVING_LIBS),)
	@echo '$(serving_off)'
endif
ifeq ($(CUDA_LIB),)
	@echo '$(cuda_off)'
endif
serving_off := off: lab 13, for want of libmicrohttpd-dev, libopenblas-serial-dev, libjansson-dev, zlib1g-dev or pkg-config \
               (./setup lab13 installs them)

# Rewritten only when it says something new, and then everything is built again.
flags = $(CC) $(COMPILE) / $(LINK) $(WRAP) $(SCHEDULED_CALLS) / $(NVCC) $(CUDA_CODE)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(flags)' | cmp -s - $@ || echo '$(flags)' >$@
.PHONY: FORCE

$(BUILD)/%.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(COMPILE) $(EXTRA) -MMD -MP -c -o $@ $<

# The library's objects serve both libraries; what no header declares AT_API stays inside. Without a PLT its calls of libc are
# bound when a program starts; bound at the first call, each would be looked up again in every child.
$(LIBRARY_SOURCES:%.c=$(BUILD)/%.o): EXTRA := -fPIC -fvisibility=hidden -fno-plt
$(TEST_SOURCES:%.c=$(BUILD)/%.o): EXTRA := $(CHECK_CFLAGS)
$(BENCH_SOURCES:%.c=$(BUILD)/%.o): EXTRA := -Ibench $(JSON_CFLAGS)
$(BENCH_TESTS:%=%.o): EXTRA := $(CHECK_CFLAGS) -Ibench $(JSON_CFLAGS)
$(patsubst %.c,$(BUILD)/%.o,bench/serving.c bench/devices.c bench/cuda.c $(BENCH_SERVING)): EXTRA = -Ibench $(GPU_INCLUDE)
GPU_INCLUDE := -Igpu -Igpu/model -Igpu/devices -Igpu/server -Igpu/client $(SERVING_CFLAGS)
$(GPU_SOURCES:%.c=$(BUILD)/%.o): EXTRA := $(GPU_INCLUDE)
$(SERVING_TESTS:%=%.o) $(SERVING_HELPERS): EXTRA := $(CHECK_CFLAGS) $(GPU_INCLUDE)

# One object in which those names are local, so that they cannot clash with a program's own in the static library either.
$(LIBRARY): $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(quiet)$(LD) -r -o $(@:.a=.o) $^
	$(quiet)$(OBJCOPY) --localize-hidden $(@:.a=.o)
	$(quiet)$(AR) rcs $@ $(@:.a=.o)

# Never unloaded: threads that are ending, and forks, still call into it.
$(SHARED_LIBRARY): $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o)
	$(call say,LD,$@)
	$(quiet)$(CC) $(LINK) -shared -Wl,-soname,libatelier.so.0,-z,nodelete -o $@ $^
	@ln -sf $(@F) $@.0

# ---- CUDA: the device, and the emulated card of its tests
CUDA_INCLUDE = -Igpu/cuda $(GPU_INCLUDE) -isystem $(CUDA_HOME)/include
$(CUDA_SOURCES:%.c=$(BUILD)/%.o): EXTRA = -fPIC -fvisibility=hidden $(CUDA_INCLUDE)
$(BUILD)/%.cu.o: %.cu $(BUILD)/flags
	$(call say,NVCC,$<)
	@mkdir -p $(@D)
	$(quiet)$(NVCC) -std=c++17 -O3 -g -lineinfo $(CUDA_CODE) $(if $(filter 1,$(WERROR)),-Werror all-warnings) \
	    -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra -D_GNU_SOURCE -Ilabs/runtime -Igpu/cuda $(patsubst -isystem,-I,$(GPU_INCLUDE)) \
	    -MMD -MP -MF $(@:.o=.d) -c -o $@ $<
$(CUDA_LIBRARY): $(CUDA_OBJECTS)
	$(call say,LD,$@)
	$(quiet)$(CC) $(LINK) -shared $(if $(SAN),,-Wl,-z,defs) -Wl,--enable-new-dtags,-rpath,$(CUDA_LIB) -o $@ $^ -L$(CUDA_LIB) -lcudart -lcublasLt -lstdc++ -ldl -lm
$(LADDER_SOURCES:%.c=$(BUILD)/%.o): EXTRA = $(CUDA_INCLUDE)
$(LADDER): $(LADDER_OBJECTS) $(LIBRARY)
	$(call say,LD,$@)
	$(quiet)$(CC) $(LINK) -Wl,--enable-new-dtags,-rpath,$(CUDA_LIB) -o $@ $^ -L$(CUDA_LIB) -lcudart -lcublasLt -lstdc++ -lm

# The kernels run on the processor, too: their sources are compiled once more, as C++, by what stands in for the runtime.
EMULATED_KERNELS := $(patsubst %.cu,$(BUILD)/tests/emulated/%.cu.cc.o,$(notdir $(wildcard gpu/cuda/*.cu tests/emulated/*.cu)))
EMULATED_OBJECTS := $(EMULATION:%=$(BUILD)/%.o) $(EMULATED_KERNELS)
$(BUILD)/tests/emulated/%.c.o: tests/emulated/%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(COMPILE) -fPIC -fvisibility=hidden -Itests/emulated $(CUDA_INCLUDE) -MMD -MP -c -o $@ $<
# ThreadSanitizer does not see them: their threads are none to it, and change from one stack to another.
emulation_cxx = $(CXX) -std=c++17 -O2 -g -pthread -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -D_GNU_SOURCE \
    $(filter-out -fsanitize=thread,$(SANITIZE_$(SAN))) -fPIC -fvisibility=hidden -Itests/emulated -Ilabs/runtime $(CUDA_INCLUDE) -MMD -MP \
    $(if $(SANITIZE_$(SAN)),,-DEMULATED_CHECKS)
$(BUILD)/tests/emulated/%.cc.o: tests/emulated/%.cc $(BUILD)/flags
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(quiet)$(emulation_cxx) -c -o $@ $<
define translate
	$(call say,CXX,'$< for the emulated card')
	@mkdir -p $(@D)
	$(quiet)tests/emulated/translate $< >$(@:.o=)
	$(quiet)$(emulation_cxx) $(if $(SANITIZE_$(SAN)),,-fsanitize=thread) -Wno-unused -Wno-unknown-pragmas -c -o $@ $(@:.o=)
endef
$(BUILD)/tests/emulated/%.cu.cc.o: gpu/cuda/%.cu tests/emulated/translate $(BUILD)/flags
	$(translate)
$(BUILD)/tests/emulated/%.cu.cc.o: tests/emulated/%.cu tests/emulated/translate $(BUILD)/flags
	$(translate)
# NVIDIA's libraries give their names as the versions of their symbols.
emulate = $(if $(filter %.cc.o,$^),$(CXX),$(CC)) $(LINK) -shared -Wl,-soname,$(@F) -Wl,--default-symver -Wl,--enable-new-dtags,-rpath,'$$ORIGIN' -o $@
$(filter $(BUILD)/tests/emulated/libcudart%,$(EMULATED)): $(filter-out $(addprefix $(BUILD)/tests/emulated/,cublaslt% nccl% nvml%),$(EMULATED_OBJECTS))
	$(call say,LD,$@)
	$(quiet)$(emulate) $^
$(filter $(BUILD)/tests/emulated/libcublasLt%,$(EMULATED)): $(filter $(BUILD)/tests/emulated/cublaslt%,$(EMULATED_OBJECTS)) $(filter $(BUILD)/tests/emulated/libcudart%,$(EMULATED))
	$(call say,LD,$@)
	$(quiet)$(emulate) $^
$(filter $(BUILD)/tests/emulated/libnccl%,$(EMULATED)): $(filter $(BUILD)/tests/emulated/nccl%,$(EMULATED_OBJECTS)) $(filter $(BUILD)/tests/emulated/libcudart%,$(EMULATED))
	$(call say,LD,$@)
	$(quiet)$(emulate) $^
$(filter $(BUILD)/tests/emulated/libnvidia-ml%,$(EMULATED)): $(BUILD)/tests/emulated/nvml.c.o
	$(call say,LD,$@)
	$(quiet)$(emulate) $^
$(CUDA_TESTS:%=%.o): EXTRA += -Itests/emulated $(CUDA_INCLUDE)
$(CUDA_TESTS): | $(CUDA_LIBRARY) $(EMULATED)
# These call the kernels themselves, and are linked with what stands in.
KERNEL_TESTS := $(filter %/test_cuda_kernels %/test_cuda_ladder,$(CUDA_TESTS))
$(KERNEL_TESTS:%=%.o): EXTRA += '-DCUDA_LIBRARIES="$(CUDA_LIB)"'
$(KERNEL_TESTS): $(filter-out %/ladder_main.o,$(LADDER_OBJECTS)) | $(LADDER)
$(BUILD)/tests/test_serving_cards: | $(filter $(BUILD)/tests/emulated/libnvidia-ml%,$(EMULATED))

# The copy of the library in which tests may step in at each atomic instruction, sleep and lock (labs/runtime/hooks.h).
$(BUILD)/hooked/%.o: %.c $(BUILD)/flags
	$(call say,CC,'$< with hooks')
	@mkdir -p $(@D)
	$(quiet)$(CC) $(COMPILE) -DAT_HOOKS -MMD -MP -c -o $@ $<
$(HOOKED_LIBRARY): $(LIBRARY_SOURCES:%.c=$(BUILD)/hooked/%.o)
	$(call say,AR,$@)
	@rm -f $@
	$(quiet)$(AR) rcs $@ $^

$(HOOKED_PROGRAMS): %: %.o $(HOOKED_LIBRARY)
	$(call say,LD,$@)
	$(quiet)$(CC) $(LINK) $(WRAPPED) -o $@ $(filter %.o,$^) $(HOOKED_LIBRARY) $(LIBS)
$(HOOKED_PROGRAMS:%=%.o) $(SCHEDULER): EXTRA := $(CHECK_CFLAGS) -DAT_HOOKS
# Here time, sleeps and processes are what tests/scheduler.h makes of them.
$(SCHEDULED): $(SCHEDULER)
$(SCHEDULED): WRAPPED := $(SCHEDULED_CALLS:%=-Wl,--wrap=%)

$(LAB_PROGRAMS) $(GPU_PROGRAMS) $(BENCH_PROGRAMS) $(filter-out $(HOOKED_PROGRAMS),$(TEST_PROGRAMS)): %: %.o $(LIBRARY)
	$(call say,LD,$@)
	$(quiet)$(CC) $(LINK) $(WRAPPED) -o $@ $(filter %.o,$^) $(LIBRARY) $(LIBS)

$(GPU_PROGRAMS): LIBS := $(SERVING_LIBS) -lm -ldl
$(GPU_PROGRAMS): $(GPU_OBJECTS)
$(BENCH_PROGRAMS): LIBS := $(JSON_LIBS) -lm -ldl -lrt
$(BENCH_PROGRAMS): $(BENCH_OBJECTS)
$(BUILD)/bench/serving $(BUILD)/bench/devices $(BUILD)/bench/cuda: LIBS := $(SERVING_LIBS) -lm -ldl -lrt
$(BUILD)/bench/serving $(BUILD)/bench/devices $(BUILD)/bench/cuda: $(BENCH_SERVING:%.c=$(BUILD)/%.o) $(GPU_OBJECTS)
$(BUILD)/bench/peers/openmp: bench/peers/openmp.c bench/busy.h bench/measure.h $(BUILD)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(quiet)gcc -std=gnu17 -O2 -g -fopenmp $(WARNINGS) -D_GNU_SOURCE -o $@ $<
# The hosts of other ways to work (bench/host.h): the same workloads, by the same functions.
MODE_PEERS := $(patsubst %,$(BUILD)/bench/peers/%,$(filter %_mode,$(PEERS)))
$(BUILD)/bench/peers/openmp_mode: WITH := -fopenmp
$(BUILD)/bench/peers/libuv_mode: WITH = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libuv))
$(BUILD)/bench/peers/libuv_mode: WITH_LIBS = $(shell pkg-config --libs libuv)
$(MODE_PEERS): $(BUILD)/%: %.c $(BENCH_OBJECTS) $(LIBRARY)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(quiet)$(if $(filter -fopenmp,$(WITH)),gcc,$(CC)) $(COMPILE) -Ibench $(WITH) -o $@ $< $(BENCH_OBJECTS) $(LIBRARY) $(LINK) \
	    $(WITH_LIBS) $(JSON_LIBS) -lm -ldl -lrt
$(BUILD)/bench/peers/boost_queue.so: bench/peers/boost_queue.cc $(BUILD)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(quiet)$(CXX) -std=c++17 -O2 -g -pthread $(WARNINGS) -fPIC -shared -o $@ $< -lrt
$(BUILD)/bench/peers/libuv: PACKAGE := libuv
$(BUILD)/bench/peers/glib: PACKAGE := gio-2.0
$(BUILD)/bench/peers/libuv $(BUILD)/bench/peers/glib: $(BUILD)/%: %.c bench/peers/serve.h bench/bytes.h bench/busy.h \
                                                               bench/measure.h $(BUILD)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(quiet)$(CC) -std=gnu17 -O2 -g $(WARNINGS) -D_GNU_SOURCE \
	    $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGE))) -o $@ $< $(shell pkg-config --libs $(PACKAGE))
# Without a dynamic linker, and noop without a C library, they start in less time; where that cannot be, as any program.
$(BUILD)/bench/children/noop: ALONE := -nostdlib
$(CHILDREN:%=$(BUILD)/bench/children/%): $(BUILD)/%: %.c bench/bytes.h bench/busy.h bench/measure.h $(BUILD)/flags
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(quiet)$(CC) -std=gnu17 -O2 $(WARNINGS) -D_GNU_SOURCE -static $(ALONE) -o $@ $< 2>/dev/null || \
	    $(CC) -std=gnu17 -O2 $(WARNINGS) -D_GNU_SOURCE -DHOSTED -o $@ $<
$(TEST_PROGRAMS): LIBS := $(CHECK_LIBS) -lm
$(TEST_PROGRAMS): $(TEST_OBJECTS)
$(BENCH_TESTS): LIBS := $(CHECK_LIBS) $(JSON_LIBS) -lm -ldl -lrt
$(BENCH_TESTS): $(BENCH_OBJECTS)
$(SERVING_TESTS): LIBS := $(CHECK_LIBS) $(SERVING_LIBS) -lm -ldl
# The tests of the emulated card itself are linked with it.
$(addprefix $(BUILD)/tests/,test_cuda_emulated test_cuda_order test_cuda_products test_cuda_refusals test_cuda_reduction): \
    LIBS := $(CHECK_LIBS) $(SERVING_LIBS) -lm -ldl $(EMULATED) -Wl,-rpath,'$$ORIGIN/emulated'
$(SERVING_TESTS): $(GPU_OBJECTS) $(SERVING_HELPERS)
$(KERNEL_TESTS): LIBS += -Wl,-rpath,'$$ORIGIN/emulated' $(filter $(BUILD)/tests/emulated/libcudart% $(BUILD)/tests/emulated/libcublasLt%,$(EMULATED)) -lstdc++
# The parts of bench/devices.
$(BUILD)/tests/test_serving_images.o: EXTRA += -Ibench
$(BUILD)/tests/test_serving_images: $(BENCH_OBJECTS) $(BENCH_SERVING:%.c=$(BUILD)/%.o)
# The entries of the fuzzers, each under a name of its own: what they have found is tried again by a suite.
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
$(BUILD)/tests/test_serving_fuzz: $(FUZZERS:%=$(BUILD)/tests/fuzz/replay_%.o)
$(BUILD)/tests/fuzz/replay_%.o: tests/fuzz/fuzz_%.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(quiet)$(CC) $(COMPILE) $(GPU_INCLUDE) -DLLVMFuzzerTestOneInput=fuzz_$* -MMD -MP -c -o $@ $<
$(BUILD)/tests/test_faults: WRAPPED := $(WRAP:%=-Wl,--wrap=%)
$(BUILD)/tests/test_process_gate: WRAPPED := $(WRAP_GATE:%=-Wl,--wrap=%)
$(BUILD)/tests/test_pool_limits: WRAPPED := $(WRAP_POOL:%=-Wl,--wrap=%)
$(BUILD)/tests/test_subprocess_limits: WRAPPED := $(WRAP_SUBPROCESS:%=-Wl,--wrap=%)
$(BUILD)/tests/test_subprocess_forks: WRAPPED := -Wl,--wrap=close

-include $(SOURCES:%.c=$(BUILD)/%.d) $(CUDA_KERNELS:%.cu=$(BUILD)/%.cu.d) $(BUILD)/gpu/cuda/ladder.cu.d $(EMULATED_OBJECTS:.o=.d) $(FUZZERS:%=$(BUILD)/tests/fuzz/replay_%.d) $(LIBRARY_SOURCES:%.c=$(BUILD)/hooked/%.d)

##
## Look
##   make lab3                   runs lab 3's programs in order, each under what to watch for; make labs: all labs
##   make lab3-with_lock         runs one of them; ARGS=... goes to the program, AT_SPEED=20 makes it 20 times faster
##   make twin3                  runs lab 3's programs and their Python twins side by side
##   make demo                   runs the whole show: every lab, a quick benchmark, its charts
LAB_GOALS  := $(filter-out labs lab13 lab13-kernels,$(filter lab%,$(MAKECMDGOALS)))
TWIN_GOALS := $(filter twin%,$(MAKECMDGOALS))

# $(call chosen,3-with_lock) is the programs that the name chooses: those of lab 3, of them with_lock. A name that chooses
# none is left to labs/run, which says what there is.
lab    = $(firstword $(subst -, ,$1))
chosen = $(filter $(patsubst $(lab)-%,\%/%,$1) $(if $(findstring -,$1),,%),\
             $(filter $(BUILD)/labs/$(lab)-% $(BUILD)/labs/0$(lab)-%,$(LAB_PROGRAMS)))

.PHONY: labs $(LAB_GOALS) $(TWIN_GOALS)
.SECONDEXPANSION:
$(LAB_GOALS): lab%: $$(call chosen,$$*)
	@$(LAUNCH) labs/run $@ $^
$(TWIN_GOALS): twin%: $$(call chosen,$$*)
	@$(LAUNCH) labs/run $@ $^
labs: $(LAB_PROGRAMS)
	@$(LAUNCH) labs/run $@ $^
	@$(MAKE) --no-print-directory lab13 ARGS=
export ARGS

.PHONY: demo
demo: $(LAB_PROGRAMS) $(BENCH_PROGRAMS) $(BENCH_PEERS)
	@labs/run demo $(LAB_PROGRAMS)
	@$(MAKE) --no-print-directory lab13 ARGS=
ifeq ($(JSON_LIBS),)
	@echo; echo 'off: the benchmarks, for want of libjansson-dev and pkg-config (./setup bench installs them)'
else
	@BUILD=$(BUILD) QUICK=1 bench/run
	@echo; echo 'The charts of this machine, and all of them with their tables on one page:'
	@bench/plot | sed '/\.png$$/d; s|^results/|  $(CURDIR)/&|'
	@bench/report | sed 's|^results/|  $(CURDIR)/&|'
endif

##
## Serve a model
##   make lab13                  trains a model if need be, serves it, and asks it: one at a time, and many at once
##   make lab13-kernels          one layer in six ways on a graphics card, each checked and timed; ARGS=--help says how
##   make serve                  serves until Ctrl-C: DEVICES=cpu,cpu PORT=8000 MODEL=digits; ARGS=--help says what else
##   make load                   loads that server and says how it did: PORT=8000 MODEL=digits; ARGS=--help says how
##   make model                  draws digits and trains the model anew; ARGS=--help says how
##   make train                  the same by several processes, which share each step: DEVICES=cpu,cpu, or cuda:0,cuda:1
##   make calibrate              times a device so that sim:NAME can stand for it: DEVICES=cuda:0:bf16 MODEL=digits,wide
# The model is the same for all builds: the folder is what serve takes when it is told nothing else.
MODEL_FILE := build/models/digits.safetensors
# What is asked for a card needs what cards are used by, where it can be built.
WITH_CARDS = $(if $(findstring cuda,$(DEVICES) $(ARGS)),$(CUDA_LIBRARY))

.PHONY: lab13-kernels
ifeq ($(LADDER),)
lab13-kernels:
	@echo '$(cuda_off)'
else
lab13-kernels: $(LADDER)
	@$(LAUNCH) labs/run $@ $<
endif

.PHONY: lab13 serve load model train calibrate
ifeq ($(SERVING_LIBS),)
lab13 serve load model train calibrate:
	@echo '$(serving_off)'
else
$(MODEL_FILE): | $(BUILD)/gpu/train
	@$(LAUNCH) $(BUILD)/gpu/train
lab13: $(BUILD)/gpu/lab13 $(BUILD)/gpu/serve $(MODEL_FILE) $(WITH_CARDS)
	@$(LAUNCH) labs/run $@ $<
serve: $(BUILD)/gpu/serve $(if $(MODEL),,$(MODEL_FILE)) $(WITH_CARDS)
	@$(LAUNCH) $< $(DEVICES:%=--devices %) $(PORT:%=--port %) $(MODEL:%=--models %) $(ARGS)
load: $(BUILD)/gpu/load
	@$(LAUNCH) $< $(PORT:%=--url http://127.0.0.1:%) $(MODEL:%=--model %) $(ARGS)
model: $(BUILD)/gpu/train
	@$(LAUNCH) $< $(ARGS)
train: $(BUILD)/gpu/train $(WITH_CARDS)
	@$(LAUNCH) $< $(DEVICES:%=--devices %) $(ARGS)
calibrate: $(BUILD)/gpu/calibrate $(MODEL_FILE) $(WITH_CARDS)
	@$(LAUNCH) $< $(DEVICES:%=--device %) $(MODEL:%=--models %) --commit '$(shell git describe --always --dirty 2>/dev/null)' $(ARGS)
endif

##
## Test
##   make test                   runs every suite; ONLY=lock: one of them
##   make test SAN=thread        the same under ThreadSanitizer; SAN=address: under AddressSanitizer and UBSan
##   make test-card              the CUDA device's suites under compute-sanitizer (memcheck, racecheck, initcheck), on a card
##   make fuzz                   feeds the readers of JSON, requests and models with broken input; RUNS=1000000 times each
SUITES := $(filter $(if $(ONLY),$(ONLY:%=\%/test_%),%),$(TEST_PROGRAMS))

.PHONY: test
test: $(SUITES) $(LAB_PROGRAMS) $(SHARED_LIBRARY) $(GPU_PROGRAMS) $(CUDA_LIBRARY) $(LADDER) $(EMULATED) $(BENCH_PROGRAMS) $(BENCH_PEERS)
ifeq ($(CHECK_LIBS),)
	@echo 'off: the tests, for want of check and pkg-config (./setup test installs them)'
	@echo '0 passed, 0 failed, $(words $(wildcard tests/test_*.c)) skipped'
else
	$(if $(SUITES),,$(if $(wildcard tests/test_$(ONLY).c),$(error $(ONLY) is off: what it needs is not here; "make" says what that is)))
	$(if $(SUITES),,$(error there is no suite $(ONLY); the suites are: $(TEST_PROGRAMS:$(BUILD)/tests/test_%=%)))
	@SAN=$(SAN) BUILD=$(abspath $(BUILD)) $(LAUNCH) tests/run $(SUITES)
endif

# Those that break the card on purpose are left out: the sanitizer would rightly complain.
CARD_SUITES := $(filter %/test_cuda_kernels %/test_cuda_device %/test_cuda_lanes %/test_cuda_training,$(CUDA_TESTS))
SANITIZER   := $(firstword $(wildcard $(CUDA_HOME)/bin/compute-sanitizer) $(shell command -v compute-sanitizer))

.PHONY: test-card
test-card: $(CARD_SUITES) $(CUDA_LIBRARY) $(GPU_PROGRAMS)
ifeq ($(if $(SANITIZER),$(CARD_SUITES)),)
	@echo 'off: test-card, for want of compute-sanitizer, which comes with the CUDA toolkit, of nvcc, or of check (./setup test)'
else ifeq ($(shell nvidia-smi -L 2>/dev/null),)
	@echo 'off: test-card, for want of a card: nvidia-smi -L finds none'
else
	@for tool in memcheck racecheck initcheck; do for suite in $(CARD_SUITES); do \
	    echo "$$tool: $$suite"; BUILD=$(abspath $(BUILD)) CK_TIMEOUT_MULTIPLIER=100 \
	        $(SANITIZER) --tool $$tool --target-processes all --require-cuda-init no --error-exitcode 99 $$suite || exit 1; done; done
endif

# Under clang's libFuzzer, with both sanitizers, in a build of its own.
FUZZ_LAUNCH := $(shell setarch -R true 2>/dev/null && echo setarch -R)
RUNS ?= 1000000

.PHONY: fuzz
ifeq ($(if $(SERVING_LIBS),$(shell command -v clang)),)
fuzz:
	@echo 'off: fuzz, for want of clang or what lab 13 needs (./setup fuzz installs them)'
else
fuzz:
	@$(MAKE) --no-print-directory CC=clang SAN=address BUILD=build/fuzz CFLAGS='$(CFLAGS) -fsanitize=fuzzer-no-link' \
	    $(FUZZERS:%=build/fuzz/tests/fuzz/fuzz_%)
	@for fuzzer in $(FUZZERS); do \
	    mkdir -p build/fuzz/corpus/$$fuzzer && \
	    $(FUZZ_LAUNCH) build/fuzz/tests/fuzz/fuzz_$$fuzzer -runs=$(RUNS) -artifact_prefix=build/fuzz/ -verbosity=0 \
	        -print_final_stats=1 build/fuzz/corpus/$$fuzzer tests/fuzz/$$fuzzer || exit 1; done
endif
$(BUILD)/tests/fuzz/%.o: EXTRA := $(GPU_INCLUDE)
$(FUZZERS:%=$(BUILD)/tests/fuzz/fuzz_%): %: %.o $(GPU_OBJECTS) $(LIBRARY)
	$(call say,LD,$@)
	$(quiet)$(CC) $(LINK) -fsanitize=fuzzer -o $@ $(filter %.o,$^) $(LIBRARY) $(SERVING_LIBS) -lm

##
## Measure
##   make bench                  measures this machine, into results/; QUICK=1: in less than a minute; SECONDS=600: for so long;
##                               DEVICES=cuda:0,cuda:1: the devices of the table of images (all cards, else simulated ones);
##                               WORKERS=N: up to so many; PART=0.75: the part of the mixed work that can be shared out;
##                               SEED=N: the orders of an earlier run; RESULTS=/tmp/before: into another folder
##   make bench-serving          measures lab 13's server against FastAPI and theory; QUICK=, SECONDS=, DEVICES=... as above
##   make bench-cuda             measures a card against PyTorch on it, and its options against each other; DEVICES=cuda:0:bf16
##   make bench-compare          OLD=... NEW=...: what got slower beyond the noise from one run to another; ALL=1: every row
##   make plots                  draws the newest data of each kind; PAPER=1: for print
##   make report                 all charts, all tables and the machine on one page of HTML, to be handed out
.PHONY: bench bench-serving bench-cuda bench-compare plots report
bench: $(BENCH_PROGRAMS) $(BENCH_PEERS) $(if $(SERVING_LIBS),$(if $(JSON_LIBS),$(MODEL_FILE) $(CUDA_LIBRARY)))
ifeq ($(JSON_LIBS),)
	@echo 'off: the benchmarks, for want of libjansson-dev and pkg-config (./setup bench installs them)'
else
	@BUILD=$(BUILD) QUICK=$(QUICK) BUDGET=$(SECONDS) WORKERS=$(WORKERS) PART=$(PART) DEVICES='$(DEVICES)' bench/run
endif
ifneq ($(and $(JSON_LIBS),$(SERVING_LIBS)),)
bench-serving: $(BUILD)/bench/serving $(BUILD)/gpu/serve $(MODEL_FILE) $(CUDA_LIBRARY)
	@BUILD=$(BUILD) QUICK=$(QUICK) BUDGET=$(SECONDS) DEVICES='$(DEVICES)' bench/run --serving
bench-cuda: $(BUILD)/bench/cuda $(BUILD)/gpu/serve $(MODEL_FILE) $(CUDA_LIBRARY)
	@BUILD=$(BUILD) QUICK=$(QUICK) BUDGET=$(SECONDS) DEVICES='$(DEVICES)' bench/run --cuda
else
bench-serving bench-cuda:
	@echo '$(serving_off)'
endif
bench-compare: $(filter %/compare,$(BENCH_PROGRAMS))
ifeq ($(JSON_LIBS),)
	@echo 'off: the benchmarks, for want of libjansson-dev and pkg-config (./setup bench installs them)'
else
	@$(BUILD)/bench/compare $(if $(ALL),--all) '$(OLD)' '$(NEW)'
endif
plots:
	@PAPER=$(PAPER) bench/plot
report: plots
	@bench/report

##
## Keep house
##   make doctor                 what this machine has, and what each missing thing turns off
##   make format                 lays out the C sources; make format-check: only says whether they are
##   make compile_commands.json  for editors
##   make install                PREFIX=/usr/local and DESTDIR= say where
##   make clean                  removes all that was built
FORMATTED = $(wildcard labs/*/*.[ch] gpu/*.[ch] gpu/*/*.[ch] gpu/cuda/*.cu bench/*.[ch] bench/children/*.c bench/peers/*.[ch]* tests/*.[ch] tests/*/*.[ch] tests/emulated/*.cc tests/emulated/*.cu)

.PHONY: doctor format format-check
doctor:
	@./setup --doctor
ifneq ($(shell command -v clang-format),)
format:
	@clang-format -i $(FORMATTED)
format-check:
	@for file in $(FORMATTED); do clang-format $$file | diff -u $$file - || bad=1; done; [ -z "$$bad" ]
else
format format-check:
	@echo 'off: $@, for want of clang-format (./setup $@ installs it)'
endif

compile_commands.json: $(BUILD)/flags $(SOURCES)
	@printf '%s\n' $(foreach source,$(SOURCES),'  {"directory": "$(CURDIR)", "file": "$(source)", \
	    "command": "$(subst ",\",$(CC) $(COMPILE) $(CHECK_CFLAGS) -c $(source))"},') | sed '1s/^/[\n/; $$s/,$$/\n]/' >$@

PREFIX ?= /usr/local
# The public headers are those that atelier.h includes.
PUBLIC = $(filter %.h,$(shell $(CC) $(COMPILE) -MM labs/runtime/atelier.h))
.PHONY: install
install: $(LIBRARY) $(SHARED_LIBRARY)
	install -d $(DESTDIR)$(PREFIX)/include/atelier $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 $(PUBLIC) $(DESTDIR)$(PREFIX)/include/atelier
	install -m 644 $(LIBRARY) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(SHARED_LIBRARY) $(DESTDIR)$(PREFIX)/lib/libatelier.so.0
	ln -sf libatelier.so.0 $(DESTDIR)$(PREFIX)/lib/libatelier.so
	printf '%s\n' 'Name: atelier' 'Description: threads, locks and processes with Python'\''s names' 'Version: $(VERSION)' \
	    'Cflags: -I$(PREFIX)/include/atelier -pthread' 'Libs: -L$(PREFIX)/lib -latelier -pthread' \
	    >$(DESTDIR)$(PREFIX)/lib/pkgconfig/atelier.pc

.PHONY: clean help
clean:
	@rm -rf build compile_commands.json
##
## Everywhere: CC=clang or gcc, CFLAGS=..., WERROR=1 makes warnings errors, V=1 shows the commands, -j builds in parallel.
help:
	@sed -n 's/^## \{0,1\}//p' Makefile
