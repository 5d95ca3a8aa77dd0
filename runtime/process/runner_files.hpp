#pragma once

#include "runtime/process/sandbox.hpp"
#include "schemas/base/described.hpp"

#include <boost/describe.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the node and the runner program say to each other: the files of a key's folder, and the runner's pipes.
/// Only `sandbox.cpp` and `bin/runner` include this.
namespace troupe::runtime {

BOOST_DESCRIBE_STRUCT(command_limits, (), (time_ms, memory_bytes, processes, file_bytes, free_bytes_min, output_bytes))
BOOST_DESCRIBE_ENUM(sandbox_mode, bubblewrap, none)
// The streams are kept beside it as they came: they need not be UTF-8.
BOOST_DESCRIBE_STRUCT(command_result, (),
                      (exit_code, timed_out, cancelled, over_limit, out_bytes, err_bytes, duration_ms,
                       connections_refused))

/// `spec.json`.
struct runner_spec {
    std::string key; ///< For people who look into the folder.
    sandbox_mode mode = sandbox_mode::bubblewrap;
    std::string project; ///< Absolute.
    std::string working_directory;
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
    bool network = false;
    std::vector<std::string> hosts; ///< To be reached through the proxy; none where the network is granted.
    bool ends_with_node = false;
    std::string input; ///< A named pipe; empty: none.
    command_limits limits;
};
BOOST_DESCRIBE_STRUCT(runner_spec, (),
                      (key, mode, project, working_directory, argv, environment, network, hosts, ends_with_node, input,
                       limits))

namespace runner_file {
inline constexpr const char* spec = "spec.json";
inline constexpr const char* groups = "groups";   ///< The control groups of the command, one a line.
inline constexpr const char* started = "started"; ///< Exists and is durable before the command starts.
inline constexpr const char* out = "out";
inline constexpr const char* err = "err";
inline constexpr const char* result = "result.json"; ///< Exists and is durable, with both streams, once it has ended.
inline constexpr const char* lock = "lock";          ///< Locked (F_OFD_SETLK) while a runner lives; holds its pid.
} // namespace runner_file

/// The runner's standard input: closed when the node is gone, or one of these bytes.
inline constexpr char runner_cancel = 'c';

/// The runner's standard output: frames of a kind, a length (4 bytes, little endian), and the bytes.
namespace runner_frame {
inline constexpr char out = 'o';
inline constexpr char err = 'e';
inline constexpr char failed = 'f'; ///< The command was not started; the text says why.
inline constexpr std::size_t header_bytes = 5;
} // namespace runner_frame

/// Takes whole frames off the front of `bytes`. The text of a `failed` frame is the return value.
std::optional<std::string> take_frames(std::string& bytes,
                                       const std::function<void(bool is_err, std::string_view)>& on_output);

/// The runner's exit codes.
namespace runner_exit {
inline constexpr int done = 0;      ///< The result is on the disk.
inline constexpr int failed = 1;    ///< See the `failed` frame. A started-mark that remains means `unknown`.
inline constexpr int not_first = 2; ///< Another runner has or had this key.
} // namespace runner_exit

} // namespace troupe::runtime
