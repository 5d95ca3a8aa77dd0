#include "runtime/metrics/process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

namespace troupe::runtime {

namespace {

std::string read_text(const char* path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// The fields of /proc/self/stat from number 3 on (proc(5)): the name before them may hold blanks.
std::vector<std::string> stat_fields() {
    const auto text = read_text("/proc/self/stat");
    std::istringstream rest(text.substr(std::min(text.rfind(')'), text.size() - 1) + 1));
    return {std::istream_iterator<std::string>(rest), {}};
}

double number(const std::vector<std::string>& fields, std::size_t proc_number) {
    const auto index = proc_number - 3;
    return index < fields.size() ? std::strtod(fields[index].c_str(), nullptr) : 0;
}

} // namespace

process_figures read_process() {
    process_figures f;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    const auto fields = stat_fields();
    f.cpu_seconds = (number(fields, 14) + number(fields, 15)) / ticks;
    f.threads = static_cast<std::uint64_t>(number(fields, 20));
    f.virtual_bytes = static_cast<std::uint64_t>(number(fields, 23));
    f.resident_bytes = static_cast<std::uint64_t>(number(fields, 24) * page);

    const auto since_boot_s = std::strtod(read_text("/proc/uptime").c_str(), nullptr);
    f.uptime_s = std::max(since_boot_s - number(fields, 22) / ticks, 0.0);
    const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
    f.start_time_s = now.count() - f.uptime_s;

    std::error_code failure;
    for (std::filesystem::directory_iterator at("/proc/self/fd", failure), end; !failure && at != end;
         at.increment(failure)) {
        ++f.open_fds;
    }
    f.open_fds -= f.open_fds > 0 ? 1 : 0; // the one that lists them
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        f.max_fds = limit.rlim_cur;
    }
    return f;
}

} // namespace troupe::runtime
