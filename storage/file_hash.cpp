#include "storage/file_hash.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/base/sha256.hpp"
#include "schemas/base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string_view>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

/// Gives the file to `visit` in pieces, and its hash.
expected<std::string> hash_pieces(int fd, const fs::path& file,
                                  const std::function<expected<void>(std::string_view)>& visit) {
    sha256_stream hash;
    auto read = read_pieces(fd, file.native(), [&](std::string_view bytes) {
        hash.add(bytes);
        return visit(bytes);
    });
    return read ? expected<std::string>(to_hex(hash.finish())) : expected<std::string>(read.error());
}

} // namespace

expected<std::string> hash_file(const fs::path& file) {
    const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return file_problem("open", file.native(), errno);
    }
    auto hash = hash_pieces(fd.get(), file, [](std::string_view) { return expected<void>(); });
    if (hash && ::fsync(fd.get()) != 0 && errno != EROFS && errno != EINVAL) { // a medium that is only read needs none
        return file_problem("sync", file.native(), errno);
    }
    return hash;
}

expected<std::string> copy_and_hash_file(const fs::path& from, const fs::path& to) {
    const unique_fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in) {
        return file_problem("open", from.native(), errno);
    }
    const unique_fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out) {
        return file_problem("create", to.native(), errno);
    }
    auto hash =
        hash_pieces(in.get(), from, [&](std::string_view bytes) { return write_whole(out.get(), bytes, to.native()); });
    if (hash && ::fsync(out.get()) != 0) {
        return file_problem("sync", to.native(), errno);
    }
    return hash;
}

} // namespace troupe::storage
