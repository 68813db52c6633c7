# Options, and the interface target wp_build that carries language, warning and sanitizer flags.
# Everything of ours links wp_build; nothing is set globally.
option(WAYPOST_WERROR "Treat warnings as errors" OFF)
option(WAYPOST_COVERAGE "Count executed lines (gcov)" OFF)
option(WAYPOST_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(WAYPOST_TESTS "Build the tests (needs cmocka)" OFF)
set(WAYPOST_SANITIZE none CACHE STRING "address (with undefined), thread or none")
set_property(CACHE WAYPOST_SANITIZE PROPERTY STRINGS none address thread)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# Assertions stay on: a broken invariant is a bug to hear of, also in the release build.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
# Two builds in the same directory: what ran under load between them is the profile (docs/performance.md).
set(WAYPOST_PROFILE none CACHE STRING "profile-guided build: none, generate or use")
set_property(CACHE WAYPOST_PROFILE PROPERTY STRINGS none generate use)
# A query crosses five folders: the compiler sees it as one (3 to 5 % fewer instructions per query).
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT DEFINED CMAKE_INTERPROCEDURAL_OPTIMIZATION)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT CMAKE_INTERPROCEDURAL_OPTIMIZATION LANGUAGES C OUTPUT ipo_output)
endif()

add_library(wp_warnings INTERFACE)
target_compile_options(wp_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    $<$<BOOL:${WAYPOST_WERROR}>:-Werror>)

add_library(wp_sanitize INTERFACE)
if(WAYPOST_SANITIZE STREQUAL "address")
    set(flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(WAYPOST_SANITIZE STREQUAL "thread")
    set(flags -fsanitize=thread -fno-omit-frame-pointer)
elseif(WAYPOST_SANITIZE STREQUAL "none")
    set(flags)
else()
    message(FATAL_ERROR "WAYPOST_SANITIZE: address, thread or none, not '${WAYPOST_SANITIZE}'")
endif()
if(WAYPOST_COVERAGE)
    # Counters are updated atomically: workers run the same lines at the same time.
    list(APPEND flags --coverage -fprofile-update=atomic)
endif()
if(WAYPOST_PROFILE STREQUAL "generate")
    list(APPEND flags -fprofile-generate=${CMAKE_BINARY_DIR}/profile -fprofile-update=atomic)
elseif(WAYPOST_PROFILE STREQUAL "use")
    list(APPEND flags -fprofile-use=${CMAKE_BINARY_DIR}/profile -fprofile-correction -Wno-missing-profile)
elseif(NOT WAYPOST_PROFILE STREQUAL "none")
    message(FATAL_ERROR "WAYPOST_PROFILE: none, generate or use, not '${WAYPOST_PROFILE}'")
endif()
set(link_flags ${flags})
if(WAYPOST_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
        message(FATAL_ERROR "WAYPOST_FUZZ needs clang (cmake --preset fuzz)")
    endif()
    # Instrumented everywhere; the fuzzer's own main() is linked only into the fuzz targets.
    list(APPEND flags -fsanitize=fuzzer-no-link)
    list(APPEND link_flags -fsanitize=fuzzer-no-link)
endif()
target_compile_options(wp_sanitize INTERFACE ${flags})
target_link_options(wp_sanitize INTERFACE ${link_flags})

add_library(wp_build INTERFACE)
target_compile_definitions(wp_build INTERFACE _GNU_SOURCE WAYPOST_VERSION="${PROJECT_VERSION}")
target_include_directories(wp_build INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(wp_build INTERFACE wp_warnings wp_sanitize)
