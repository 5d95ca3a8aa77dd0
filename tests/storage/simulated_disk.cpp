#include "tests/storage/simulated_disk.hpp"

#include <utility>

namespace troupe::test {

namespace {

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string_view name_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

} // namespace

/// Counts, notes and, when it is the one, cuts: before the operation or after it.
class simulated_disk::operation {
public:
    operation(simulated_disk& disk, disk_operation kind, std::string_view path, std::size_t bytes = 0) : disk_(disk) {
        ++disk_.operations_;
        if (disk_.is_cut()) {
            return;
        }
        disk_.trace_.add(static_cast<std::uint64_t>(kind));
        disk_.trace_.add(path.substr(disk_.root_.size())); // the root is another one each time
        disk_.trace_.add(bytes);
        if (disk_.operations_ == disk_.cut_at_) {
            cut_ = true;
            if (disk_.random_.chance(50)) {
                disk_.cut(disk_.cut_how_);
            }
        }
    }
    operation(const operation&) = delete;
    ~operation() {
        if (cut_ && !disk_.is_cut()) {
            disk_.cut(disk_.cut_how_);
        }
    }

private:
    simulated_disk& disk_;
    bool cut_ = false;
};

simulated_disk::simulated_disk(std::uint64_t seed, std::string root) : root_(std::move(root)), random_(seed) {
    now_.folders.insert(root_);
    lasting_.folders.insert(root_);
}

void simulated_disk::apply(tree& to, const change& c) {
    switch (c.kind) {
    case change_kind::file:
        to.files[c.path] = c.what;
        break;
    case change_kind::folder:
        to.folders.insert(c.path);
        break;
    case change_kind::rename:
        to.files.erase(c.path);
        to.files[c.target] = c.what;
        break;
    case change_kind::remove:
        to.files.erase(c.path);
        break;
    }
}

void simulated_disk::do_change(change c) {
    apply(now_, c);
    unsynced_.push_back(std::move(c));
}

bool simulated_disk::fails(disk_operation kind) {
    auto& in = fail_in_[static_cast<std::size_t>(kind)];
    if (in == 0 || is_cut() || --in > 0) {
        return false;
    }
    ++failures_;
    return true;
}

disk_result simulated_disk::create(const std::string& path, file_ptr& out) {
    const operation o(*this, disk_operation::create, path);
    if (fails(disk_operation::create)) {
        return disk_result::failed;
    }
    if (!has_folder(folder_of(path))) {
        return disk_result::missing;
    }
    out = std::make_shared<file>();
    do_change({change_kind::file, path, {}, out});
    return disk_result::ok;
}

disk_result simulated_disk::append(const std::string& path, const file_ptr& to, std::string_view data) {
    const operation o(*this, disk_operation::append, path, data.size());
    if (fails(disk_operation::append)) {
        to->data += data.substr(0, random_.below(data.size() + 1)); // some of it may be there
        return disk_result::failed;
    }
    if (const auto room = free_bytes(); !is_cut() && room < data.size()) {
        to->data += data.substr(0, room);
        return disk_result::full;
    }
    to->data += data;
    return disk_result::ok;
}

disk_result simulated_disk::sync(const std::string& path, const file_ptr& what) {
    const operation o(*this, disk_operation::sync, path);
    if (fails(disk_operation::sync)) {
        what->sync_failed = true;
        return disk_result::failed;
    }
    if (!what->sync_failed) {
        what->synced = what->data.size();
    }
    return disk_result::ok;
}

disk_result simulated_disk::sync_folder(const std::string& path) {
    const operation o(*this, disk_operation::sync_folder, path);
    if (fails(disk_operation::sync_folder)) {
        return disk_result::failed;
    }
    std::erase_if(unsynced_, [&](const change& c) {
        const bool here = folder_of(c.path) == path;
        if (here) {
            apply(lasting_, c);
        }
        return here;
    });
    return disk_result::ok;
}

disk_result simulated_disk::rename(const std::string& from, const std::string& to) {
    const operation o(*this, disk_operation::rename, to);
    const auto what = find(from);
    if (!what) {
        return disk_result::missing;
    }
    if (fails(disk_operation::rename)) {
        return disk_result::failed;
    }
    do_change({change_kind::rename, from, to, what});
    return disk_result::ok;
}

disk_result simulated_disk::remove(const std::string& path) {
    const operation o(*this, disk_operation::remove, path);
    if (!find(path)) {
        return disk_result::missing;
    }
    if (fails(disk_operation::remove)) {
        return disk_result::failed;
    }
    do_change({change_kind::remove, path, {}, nullptr});
    return disk_result::ok;
}

disk_result simulated_disk::open(const std::string& path, file_ptr& out) {
    const operation o(*this, disk_operation::open, path);
    out = find(path);
    if (!out) {
        return disk_result::missing;
    }
    return fails(disk_operation::open) ? disk_result::failed : disk_result::ok;
}

disk_result simulated_disk::truncate(const std::string& path, std::size_t bytes) {
    const auto what = find(path);
    if (!what) {
        return disk_result::missing;
    }
    what->data.resize(bytes);
    what->synced = std::min(what->synced, bytes);
    return disk_result::ok;
}

void simulated_disk::add_folder(const std::string& path) {
    if (!has_folder(path)) {
        do_change({change_kind::folder, path, {}, nullptr});
    }
}

simulated_disk::file_ptr simulated_disk::find(const std::string& path) const {
    const auto found = now_.files.find(path);
    return found == now_.files.end() ? nullptr : found->second;
}

std::vector<std::string> simulated_disk::names_in(const std::string& folder) const {
    std::vector<std::string> out;
    for (const auto& [path, what] : now_.files) {
        if (folder_of(path) == folder) {
            out.emplace_back(name_of(path));
        }
    }
    for (const auto& path : now_.folders) {
        if (path != root_ && folder_of(path) == folder) {
            out.emplace_back(name_of(path));
        }
    }
    return out;
}

std::uint64_t simulated_disk::used_bytes() const {
    std::uint64_t used = 0;
    for (const auto& [path, what] : now_.files) {
        used += what->data.size();
    }
    return used;
}

std::uint64_t simulated_disk::free_bytes() const {
    if (capacity_ == std::numeric_limits<std::uint64_t>::max()) {
        return capacity_;
    }
    const auto used = used_bytes();
    return used < capacity_ ? capacity_ - used : 0;
}

void simulated_disk::cut(disk_end how) {
    if (!is_cut()) {
        left_ = survivors(how);
        trace_.add("cut");
    }
}

void simulated_disk::cut_after(std::uint64_t operations, disk_end how) {
    cut_at_ = operations_ + operations;
    cut_how_ = how;
}

void simulated_disk::fail_after(disk_operation kind, std::uint64_t operations) {
    fail_in_[static_cast<std::size_t>(kind)] = operations;
}

void simulated_disk::disarm() {
    cut_at_ = 0;
    fail_in_.fill(0);
}

simulated_disk::contents simulated_disk::survivors(disk_end how) {
    std::map<file_ptr, file_ptr> copies; // a file may have a name that lasts and another one that does not yet
    const auto luck = random_.below(3);  // nothing of what was not synced, all of it, or a part
    const auto part = [&](std::size_t all) { return luck == 0 ? 0 : luck == 1 ? all : random_.below(all + 1); };
    const auto copy = [&](const file_ptr& from) {
        auto& to = copies[from];
        if (!to) {
            to = std::make_shared<file>(*from);
            if (how == disk_end::power) {
                const auto beyond = from->sync_failed ? 0 : part(from->data.size() - from->synced);
                to->data.resize(from->synced + beyond);
                to->synced = to->data.size();
            }
        }
        return to;
    };
    contents out{{}, lasting_, unsynced_};
    if (how == disk_end::power) {
        out.unsynced.resize(part(out.unsynced.size()));
        for (const auto& c : std::exchange(out.unsynced, {})) {
            apply(out.lasting, c);
        }
        std::erase_if(out.lasting.files,
                      [&](const auto& f) { return !out.lasting.folders.contains(folder_of(f.first)); });
    }
    for (auto& [path, what] : out.lasting.files) {
        what = copy(what);
    }
    for (auto& c : out.unsynced) {
        c.what = c.what ? copy(c.what) : nullptr;
    }
    out.now = out.lasting;
    for (const auto& c : out.unsynced) {
        apply(out.now, c);
    }
    return out;
}

void simulated_disk::restart() {
    cut(disk_end::power); // unless it was
    now_ = std::move(left_->now);
    lasting_ = std::move(left_->lasting);
    unsynced_ = std::move(left_->unsynced);
    left_.reset();
    disarm();
}

std::optional<std::string> simulated_disk::flip_bit(std::string_view ending) {
    std::vector<std::pair<std::string, file_ptr>> able;
    for (const auto& [path, what] : now_.files) {
        if (path.ends_with(ending) && !what->data.empty()) {
            able.emplace_back(path, what);
        }
    }
    if (able.empty()) {
        return std::nullopt;
    }
    const auto& [path, what] = able[random_.below(able.size())];
    const auto at = random_.below(what->data.size());
    const auto bit = random_.below(8);
    what->data[at] = static_cast<char>(what->data[at] ^ (1 << bit));
    return path + " byte " + std::to_string(at) + " bit " + std::to_string(bit);
}

} // namespace troupe::test
