#include "storage/place.hpp"

#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

namespace troupe::storage {

namespace {

namespace fs = std::filesystem;

/// Nothing more: numbers of files change with remounts where a file system makes them up (FUSE, virtiofs).
struct place {
    std::int64_t made_s = 0;
    std::int64_t made_ns = 0;

    bool operator==(const place&) const = default;
};
BOOST_DESCRIBE_STRUCT(place, (), (made_s, made_ns))

fs::path file_of(const fs::path& directory) { return directory / "place.json"; }

/// Nothing: the file is not there, or its file system does not know.
std::optional<place> made_at(const fs::path& file) {
    struct statx found {};
    if (::statx(AT_FDCWD, file.c_str(), 0, STATX_BTIME, &found) != 0 || (found.stx_mask & STATX_BTIME) == 0 ||
        found.stx_btime.tv_sec == 0) {
        return std::nullopt;
    }
    return place{found.stx_btime.tv_sec, found.stx_btime.tv_nsec};
}

expected<place> read_place(const fs::path& file) {
    const auto text = read_whole_file(file, 4096);
    return text ? from_json<place>(*text, strictness::stored) : expected<place>(text.error());
}

problem unusable(const fs::path& file, const std::string& why) {
    return {code::data_dir_unusable, file.string() + " " + why + "; choose a directory that this user may write"};
}

} // namespace

expected<void> check_place(const fs::path& directory) {
    const auto file = file_of(directory);
    const auto made = made_at(file);
    const auto said = read_place(file);
    if (!made || !said || *made == *said) {
        return {}; // a torn file is written anew: the check protects from mistakes, not from damage
    }
    return problem{
        code::data_dir_unusable,
        "data directory " + directory.string() +
            " is a copy of another one. Two nodes on copies do twice what is owed. If the original is gone "
            "for good, start it once with --storage.copied adopt; for a second node use a new directory, and "
            "for a copy of the data `troupe backup create` and `troupe backup restore`"};
}

expected<void> mark_place(const fs::path& directory) {
    const auto file = file_of(directory);
    if (check_place(directory) && read_place(file)) {
        return {};
    }
    std::error_code ignored;
    fs::remove(file, ignored); // a copy keeps its time as long as it is written over
    const int made = ::open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    if (made < 0) {
        return unusable(file, std::string("cannot be made: ") + std::strerror(errno));
    }
    const auto at = made_at(file);
    const auto text = at ? to_json(*at) + "\n" : std::string();
    bool written = text.empty() ||
                   (::write(made, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(made) == 0);
    if (written && made_at(file) != at) { // it was written since: what such a file system tells is no time of making
        written = ::ftruncate(made, 0) == 0 && ::fsync(made) == 0;
    }
    const int why = errno;
    ::close(made);
    return written ? expected<void>()
                   : expected<void>(unusable(file, std::string("cannot be written: ") + std::strerror(why)));
}

} // namespace troupe::storage
