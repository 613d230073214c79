//! Inventory exports of endpoint detection and response tools as a normalizer.

normalizer_adapter::export_tool!(normalizer_adapter::EDR);
