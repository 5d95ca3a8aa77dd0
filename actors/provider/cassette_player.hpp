#pragma once

#include "net/model/model.hpp"
#include "schemas/base/problem.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

/// Models that play a cassette or record one. Thread-safe.
namespace troupe::actors {

inline constexpr std::string_view cassette_prefix = "cassette:";
inline constexpr std::string_view record_prefix = "record:";
inline constexpr std::string_view cassette_ending = ".jsonl"; ///< Of its file.

/// Whether a model's name is `cassette:NAME` or `record:NAME/MODEL`.
bool is_cassette_name(std::string_view name);

/// Finds the models of such names, in one folder. Kept for as long as the node lives.
class cassette_desk {
public:
    using finder = std::function<expected<std::shared_ptr<net::model>>(std::string_view name)>;

    /// An empty folder: there are no cassettes.
    explicit cassette_desk(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// `cassette:NAME` plays FOLDER/NAME.jsonl, which is read again when it has changed, and calls nobody;
    /// `record:NAME/MODEL` calls the model that `find` gives, and adds each call and what came of it to the file, whole
    /// lines, fsynced. `model_unknown` for a name that cannot be one.
    expected<std::shared_ptr<net::model>> find(std::string_view name, const finder& find);

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
    /// Where the cassette of that name is, or will be. `model_unknown` where it cannot be.
    [[nodiscard]] expected<std::filesystem::path> file_of(std::string_view tape) const;

    /// The model behind `record:NAME/MODEL`; the name itself of another one.
    static std::string_view recorded_model(std::string_view name);

private:
    const std::filesystem::path folder_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<net::model>> players_; ///< By cassette.
};

} // namespace troupe::actors
