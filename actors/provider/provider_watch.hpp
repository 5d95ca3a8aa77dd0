#pragma once

#include "net/model/model.hpp"
#include "runtime/supervision/tree.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

/// Model providers as the supervision tree shows them: how many calls are at work, and how the last one ended.
namespace troupe::actors {

/// Thread-safe. Outlives the models that it watches.
class provider_watch {
public:
    /// Entries stand below `path`, one for each provider: "openai" for "openai/gpt-4.1".
    provider_watch(runtime::supervision_tree& tree, std::string path);
    ~provider_watch();

    /// Shows the provider of a model, whether it is called or not.
    void show(std::string_view model_name);

    /// The model, with its calls counted. A call that the provider fails makes its entry `failed`, until one succeeds;
    /// an answer that only this request got (it was refused, or cancelled) says nothing about the provider.
    std::shared_ptr<net::model> watch(std::string_view model_name, std::shared_ptr<net::model> model);

private:
    struct provider;
    std::shared_ptr<provider> of(std::string_view model_name);

    runtime::supervision_tree& tree_;
    std::string path_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<provider>, std::less<>> providers_;
};

} // namespace troupe::actors
